"""What a run's answers come from: attributions, parts put back into another input, heads named and taken out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from attnfocus.data.codecs.base import Codec, Encoded
from attnfocus.data.preparation import Prepared
from attnfocus.decoding.side_by_side import num_threads
from attnfocus.explanation.attribution import Attribution, attribute
from attnfocus.explanation.head_table import NUM_NAMED, HeadTable, Removal, name_heads
from attnfocus.explanation.interventions import Kind
from attnfocus.explanation.options import DEFAULT_METHOD, AttributionOptions, Level
from attnfocus.explanation.patching import Patching, patch
from attnfocus.explanation.removal import Ablation, ablated, with_costs
from attnfocus.models.base import Model
from attnfocus.runs.assembly import Setup
from attnfocus.tasks import Task
from attnfocus.tasks.probe import Baseline


class Causes:
    """The part of a `Run` that asks what its answers come from."""

    model: Model
    codec: Codec
    setup: Setup
    task: Task

    def _prepared(self, split: str) -> Prepared:
        raise NotImplementedError

    def attribute(
        self,
        text: str,
        method: str = DEFAULT_METHOD,
        *,
        target: str | None = None,
        layer: str | None = None,
        head: int | None = None,
        baseline: Baseline = "zero",
        num_steps: int = 32,
        leave_out: Literal["mask", "remove"] = "mask",
        against: str | None = None,
        span: int | None = None,
        level: Level = "token",
    ) -> Attribution:
        """What the answer to a text rests on: a number for each output token (or the label) and input position.

        Args:
            text: the input, as `predict` takes it.
            method: one of `attnfocus.explanation.METHODS`; docs/attributions.md says what each computes.
                integrated_gradients pass back `num_steps` times for each output, gradient_input once.
            target: another answer than the model's own.
            against: why this answer and not that one: another label or text.
            layer, head, baseline, num_steps, leave_out, span, level: as in
                `attnfocus.explanation.AttributionOptions`.

        Raises:
            ConfigError: a method, or a value of an option, that there is not.
            DataError: an input that the model cannot read, or an answer without a token.
        """
        options = AttributionOptions(
            target=target,
            layer=layer,
            head=head,
            baseline=baseline,
            num_steps=num_steps,
            leave_out=leave_out,
            against=against,
            span=span,
            level=level,
        )
        num_threads()
        example = self._example(text, "text")
        return attribute(self.task, self.model, [example], method, options, self.setup.config.decoding)[0]

    def patch(
        self,
        clean: str,
        corrupted: str,
        kinds: Sequence[Kind] = ("heads", "states"),
        *,
        with_paths: bool = False,
        target: str | None = None,
    ) -> Patching:
        """Which parts of the model carry what tells two texts apart that it answers differently.

        The corrupted text is read with one part set to its value under the clean text, one part after another: 0 where
        the answer stays that of the corrupted text, 1 where that to the clean text is back.

        Args:
            clean, corrupted: texts of as many tokens, as `predict` takes them.
            kinds: of the parts: what heads give, their weights, the states after layers.
            with_paths: also what each head restores by way of each later head alone.
            target: the answer to the clean text; None: the run's own.

        Raises:
            ConfigError: texts of different length, or too long ones.
            DataError: texts with the same answer, or that cannot be read.
        """
        num_threads()
        first, second = self._example(clean, "clean"), self._example(corrupted, "corrupted")
        return patch(
            self.task,
            self.model,
            first,
            second,
            kinds,
            with_paths=with_paths,
            target=target,
            decoding=self.setup.config.decoding,
        )

    def heads(self, split: str = "test", num_examples: int = NUM_NAMED, removal: Removal | None = None) -> HeadTable:
        """What each head does, by its weights, and with `removal` what the run loses without it.

        Args:
            num_examples: the first of the split that the model can read; of long ones fewer (> 0).
            removal: mean or zero, what is put in the place of what a head gives; None: no costs, one pass.

        Raises:
            As `evaluate`, and DataError where the model can read none of the examples.
        """
        num_threads()
        examples = self._prepared(split).splits[split]
        table = name_heads(self.task, self.model, examples, num_examples=num_examples, split=split)
        return table if removal is None else with_costs(table, self.task, self.model, examples, removal)

    def ablate(
        self,
        heads: Sequence[tuple[str, int]],
        split: str = "test",
        num_examples: int = NUM_NAMED,
        removal: Removal = "mean",
    ) -> Ablation:
        """The metrics of some examples without these heads, all taken out together, and with them.

        Args:
            heads: attention and number of each, as in `("layers.1", 0)`.
            num_examples, removal: as in `heads`.

        Raises:
            ConfigError: a head that there is not; else as `heads`.
        """
        num_threads()
        examples = self._prepared(split).splits[split]
        return ablated(self.task, self.model, examples, heads, num_examples=num_examples, split=split, removal=removal)

    def _example(self, text: str, name: str) -> Encoded:
        return self.codec.encode_input(text, name, self.setup.data_options.clean)
