"""What an attention says of itself, for those who use it."""

from torch import nn

from attnfocus.attention.plane import Plane
from attnfocus.attention.role import Role


class Traits(nn.Module):
    """What holds unless a subclass says otherwise.

    Attributes:
        role: what it is for in a model, whose part that owns it says so; None: nobody has said.
        plane: how the positions of the input lie in rows and columns; None: in a row, or nobody has said.
    """

    role: Role | None
    plane: Plane | None

    def put_on(self, plane: Plane | None) -> None:
        """Called once, by the model whose input's positions it looks at: how they lie; None: in a row."""
        self.plane = plane

    @property
    def same_sequence_only(self) -> bool:
        """True where queries and keys must be one sequence (self-attention)."""
        return False

    @property
    def sees_everything(self) -> bool:
        """True where every query may look at every key."""
        return True

    @property
    def uses_history(self) -> bool:
        """True where a query depends on where the one before it looked: for decoders, never for encoders."""
        return False

    @property
    def max_length(self) -> int | None:
        """The longest sequence of keys that it can take; None: any."""
        return None

    @property
    def decoders_only(self) -> bool:
        """True where the queries must be the steps of a decoder."""
        return self.uses_history

    weights_sum_to_one: bool = True  # those of a query that may attend to anything
    weights_are_nonnegative: bool = True

    @property
    def weights_are_distributions(self) -> bool:
        """True where the weights of a query that may attend to anything are >= 0 and sum to 1."""
        return self.weights_sum_to_one and self.weights_are_nonnegative

    @property
    def needs_plane(self) -> bool:
        """True where positions must lie in rows and columns (`BaseAttention.put_on`), as patches of an image do."""
        return False

    @property
    def looks_back(self) -> bool:
        """True where no query looks at a later key, by the way it is made; a pattern says so of itself."""
        return False

    @property
    def takes_documents_by_mask(self) -> bool:
        """True where a fused kernel, given a mask, computes each part of a sequence as if it stood by itself."""
        return False

    @property
    def excludes_itself(self) -> bool:
        """True where a query's own value is taken out of its context, which weights alone then do not make."""
        return False

    @property
    def values_depend_on_offsets(self) -> bool:
        """True where what a query reads of a key is its value and something of the position between the two."""
        return False

    @property
    def weights_can_be_replaced(self) -> bool:
        """True where the context is made of the weights, head by head, so that others could stand in their place."""
        return False

    @property
    def head_mask_problem(self) -> str | None:
        """Why its heads cannot have masks of their own, and what works instead; None: they can."""
        return None

    @property
    def looks_at_itself(self) -> bool:
        """True where queries are known to be positions of the keys' own sequence."""
        return self.same_sequence_only or (self.role is not None and self.role.kind == "self")
