"""What a layer would say without the value of one key: weights as they act, residual connection and network included.

Shapes: B examples, Q queries, K keys, M rows of one call, D width of what a layer says.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attnfocus.attention.base import BaseAttention
from attnfocus.attention.value_norms import output_is_weighed_values, without_values, zeroed_values
from attnfocus.errors import ConfigError
from attnfocus.explanation.interventions import Noted, changed_output
from attnfocus.focus.attributions import rows_at_once
from attnfocus.models.decoder import AttendThenRecur, Decoded, EncodedSource, RecurThenAttend
from attnfocus.models.pooling import AttentionPooling
from attnfocus.models.rnn_language_model import RNNLanguageModel
from attnfocus.models.stepwise import select_rows
from attnfocus.models.transformer_layers import CausalLayer, TransformerDecoderLayer, TransformerLayer
from attnfocus.tasks.looks import looks_of
from attnfocus.tasks.probe import Probe

_LAYERS = (TransformerLayer, CausalLayer, TransformerDecoderLayer, AttentionPooling, RNNLanguageModel)
_DECODERS = (RecurThenAttend, AttendThenRecur)


def zeroing_scores(probe: Probe, weights: dict[str, Tensor], name: str) -> Tensor:
    """C_qk = distance(x_q, x_q without value k) / its sum over k, with distance 1 - cos: (B, Q, K), 0 at padding.

    x is what the layer says, behind its residual connections, its network and its normalizations; without value k: the
    projected value of key k is 0 in all heads, the weights stay as they are   (Mohebbi et al. 2023, eq. 3-4,
    arXiv:2301.12971). Of a pooling x is the pooled vector.

    The paper is about layers of Transformers, each read from what it is given with all values. In the same way a step
    of a recurrent decoder starts here from the states that the steps before leave with all values, and x is its
    readout, the vector of state and context that the output layer scores. What an earlier step would have said without
    the value, and so another input of this one, does not count. Of a recurrent language model x is the readout, too.

    It promises rows >= 0 that sum to 1, and exactly nothing for a key that no query sees. Cost: a forward pass for each
    key, of which only the part up to the layer is needed.

    Args:
        weights: of all attentions, as `Probe.weights` gives them.

    Raises:
        ConfigError: an attention whose output is not its weights times its values, or that is in no such layer.
    """
    speaker = _speaker(probe, name)
    look = next(look for look in looks_of(probe.model, weights, probe.axis_lengths) if look.name == name)
    num_rows, num_keys = len(probe.inputs), weights[name].shape[-1]
    whole = speaker.whole()  # (B, Q, D)
    found = whole.new_zeros(num_rows, num_keys, whole.shape[1])  # (B, K, Q)
    is_real = torch.arange(num_keys, device=whole.device) < look.num_keys.unsqueeze(1)
    examples, keys = is_real.nonzero(as_tuple=True)
    for part in torch.arange(len(examples), device=whole.device).split(rows_at_once(num_keys)):
        without = speaker.without(examples[part], keys[part])
        similarity = F.cosine_similarity(whole[examples[part]].double(), without.double(), dim=-1)
        found[examples[part], keys[part]] = (1 - similarity).clamp_min(0).to(found.dtype)
    found = found.transpose(1, 2) * look.queries.transpose(1, 2)
    total = found.sum(dim=-1, keepdim=True)
    return found / torch.where(total > 0, total, 1.0)


class _Speaker(Protocol):
    """What is asked with all values and without some."""

    def whole(self) -> Tensor:
        """(B, Q, D) of all examples."""

    def without(self, examples: Tensor, keys: Tensor) -> Tensor:
        """(M, Q, D) of examples (M,) without the value of the key (M,) of each."""


def _speaker(probe: Probe, name: str) -> _Speaker:
    attention = probe.model.attentions().get(name)
    if attention is None or not output_is_weighed_values(attention):
        what = name if attention is None else type(attention).__name__
        raise ConfigError(
            f"method: value_zeroing needs an attention whose output is its weights times its values, and {what} "
            f"({name}) is none. Use leave_one_out or integrated_gradients."
        )
    owner = next(each for each in probe.model.modules() if any(child is attention for child in each.children()))
    if isinstance(owner, _DECODERS):
        return _Steps(probe, owner)
    if isinstance(owner, _LAYERS):
        return _Layer(probe, owner, attention)
    raise ConfigError(
        f"method: value_zeroing compares what a layer of a Transformer, a pooling or a recurrent decoder says, and "
        f"{name} is a part of {type(owner).__name__}. Use leave_one_out or attention_norm."
    )


class _Layer:
    """A layer that says all at once: what it says of one query is no input of another."""

    def __init__(self, probe: Probe, layer: nn.Module, attention: BaseAttention) -> None:
        self._probe, self._layer, self._attention = probe, layer, attention

    def whole(self) -> Tensor:
        return self._states(torch.arange(len(self._probe.inputs), device=self._probe.inputs.device))

    def without(self, examples: Tensor, keys: Tensor) -> Tensor:
        with zeroed_values(self._attention, keys):
            return self._states(examples)

    def _states(self, examples: Tensor) -> Tensor:
        noted = Noted()
        with changed_output(self._layer, noted):
            self._probe.logits_given({}, examples)
        return noted.values.unsqueeze(1) if noted.values.dim() == 2 else noted.values


class _Steps:
    """A recurrent decoder, each of whose steps starts from what those before leave with all values."""

    def __init__(self, probe: Probe, decoder: RecurThenAttend | AttendThenRecur) -> None:
        self._decoder = decoder
        given: list[Any] = []
        handle = decoder.register_forward_pre_hook(lambda _module, inputs: given.extend(inputs))
        try:
            probe.logits_given({}, torch.arange(len(probe.inputs), device=probe.inputs.device))
        finally:
            handle.remove()
        embedded, state, self._source, *_ = given
        self._begun: list[tuple[Tensor, Any]] = []  # of each step: its token (B, 1, E), and the state before it
        said = []
        for token in embedded.split(1, dim=1):
            self._begun.append((token, state))
            step = self._step(token, state, self._source)
            said.append(step.readout)
            state = step.state
        self._whole = torch.cat(said, dim=1)

    def whole(self) -> Tensor:
        return self._whole

    def without(self, examples: Tensor, keys: Tensor) -> Tensor:
        source = select_rows(self._source, examples)
        memory = source.attended
        source = source._replace(attended=memory._replace(values=without_values(memory.values, keys)))
        steps = (
            self._step(token[examples], select_rows(state, examples), source).readout for token, state in self._begun
        )
        return torch.cat(list(steps), dim=1)

    def _step(self, token: Tensor, state: Any, source: EncodedSource) -> Decoded:
        decoded: Decoded = self._decoder(token, state, source, False)
        return decoded
