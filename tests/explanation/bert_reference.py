"""A small BERT by its formulas in float64: one example, and relevances passed back by rules that are written out.

Shapes: L positions (cls first), D width, H heads, d = D / H.
"""

import numpy as np
import torch
from scipy.special import erf


def array(tensor):
    return tensor.detach().double().numpy()


def linear(x, module):
    bias = 0.0 if module.bias is None else array(module.bias)
    return x @ array(module.weight).T + bias


def normalized(x, module):
    centered = x - x.mean(axis=-1, keepdims=True)
    deviation = np.sqrt((centered**2).mean(axis=-1, keepdims=True) + module.eps)
    return array(module.weight) * centered / deviation + array(module.bias)


def gelu(x):
    return 0.5 * x * (1 + erf(x / np.sqrt(2)))


def softmax(x):
    shifted = np.exp(x - x.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def run_layer(layer, x, zeroed=None):
    """What a layer computes of x (L, D), by name; `zeroed`: the key whose value is 0."""
    own, found = layer.attention, {"x": x}
    found["q"], found["k"], found["v"] = (
        linear(x, each) for each in (own.query_projection, own.key_projection, own.value_projection)
    )
    if zeroed is not None:
        found["v"][zeroed] = 0
    size, merged = own.query_head_dim, np.zeros_like(x)
    found["scores"], found["weights"] = [], []
    for head in range(own.num_heads):
        part = slice(head * size, (head + 1) * size)
        scores = found["q"][:, part] @ found["k"][:, part].T / np.sqrt(size)
        found["scores"].append(scores)
        found["weights"].append(softmax(scores))
        merged[:, part] = found["weights"][-1] @ found["v"][:, part]
    found["merged"], found["context"] = merged, linear(merged, own.output_projection)
    found["first"] = x + found["context"]
    found["read"] = normalized(found["first"], layer.attention_norm)
    found["wide"] = linear(found["read"], layer.widen)
    found["hidden"] = gelu(found["wide"])
    found["network"] = linear(found["hidden"], layer.narrow)
    found["second"] = found["read"] + found["network"]
    found["states"] = normalized(found["second"], layer.feedforward_norm)
    return found


def run(model, ids):
    """The token vectors, what stands before the first layer, what each layer computes, and the logits."""
    vectors = array(model.embedding.embed(torch.tensor(ids)))
    placed = vectors + array(model.position.table)[: len(ids)]
    states, layers = np.concatenate((array(model.cls)[0], placed)), []
    for layer in model.layers:
        layers.append(run_layer(layer, states))
        states = layers[-1]["states"]
    return vectors, placed, layers, linear(states[0], model.output)


class Relevances:
    """Rules of Achtibat et al. 2024, and what each of them gives to no input: `lost`, the sum by the rule's name."""

    def __init__(self):
        self.lost = {"bias": 0.0, "softmax": 0.0, "constant": 0.0}

    def of_linear(self, x, module, relevance):
        out = linear(x, module)
        if module.bias is not None:
            self.lost["bias"] += (array(module.bias) * relevance / out).sum()
        return x * ((relevance / out) @ array(module.weight))

    def of_norm(self, x, module, relevance):
        out, centered = normalized(x, module), x - x.mean(axis=-1, keepdims=True)
        self.lost["bias"] += (array(module.bias) * relevance / out).sum()
        share = (relevance * (out - array(module.bias)) / out) / centered
        return x * (share - share.mean(axis=-1, keepdims=True))

    @staticmethod
    def of_sum(first, second, relevance):
        return first / (first + second) * relevance, second / (first + second) * relevance

    def of_layer(self, layer, kept, relevance):
        relevance = self.of_norm(kept["second"], layer.feedforward_norm, relevance)
        read, network = self.of_sum(kept["read"], kept["network"], relevance)
        hidden = self.of_linear(kept["hidden"], layer.narrow, network)  # gelu passes it on as it is
        read = read + self.of_linear(kept["read"], layer.widen, hidden)
        first = self.of_norm(kept["first"], layer.attention_norm, read)
        x, context = self.of_sum(kept["x"], kept["context"], first)
        own = layer.attention
        merged = self.of_linear(kept["merged"], own.output_projection, context)
        parts = {name: np.zeros_like(kept[name]) for name in "qkv"}
        size = own.query_head_dim
        for head in range(own.num_heads):
            part = slice(head * size, (head + 1) * size)
            self._of_head(kept, head, part, merged[:, part], parts)
        for name, module in (("q", own.query_projection), ("k", own.key_projection), ("v", own.value_projection)):
            x = x + self.of_linear(kept["x"], module, parts[name])
        return x

    def _of_head(self, kept, head, part, relevance, parts):
        weights, scores = kept["weights"][head], kept["scores"][head]
        q, k, v = (kept[name][:, part] for name in "qkv")
        of_weights = np.zeros_like(weights)
        for query in range(len(q)):
            for key in range(len(k)):
                for number in range(v.shape[1]):
                    share = weights[query, key] * v[key, number] / (2 * kept["merged"][query, part][number])
                    of_weights[query, key] += share * relevance[query, number]
                    parts["v"][key, part.start + number] += share * relevance[query, number]
        of_scores = scores * (of_weights - weights * of_weights.sum(axis=1, keepdims=True))
        self.lost["softmax"] += of_weights.sum() - of_scores.sum()
        for query in range(len(q)):
            for key in range(len(k)):
                for number in range(q.shape[1]):
                    product = q[query, number] * k[key, number] / np.sqrt(q.shape[1])
                    share = product / (2 * scores[query, key]) * of_scores[query, key]
                    parts["q"][query, part.start + number] += share
                    parts["k"][key, part.start + number] += share

    def of_model(self, model, ids, answer, foil):
        """Relevances of the tokens (L - 1,) for logit(answer) - logit(foil), and that difference."""
        vectors, placed, layers, logits = run(model, ids)
        weight, bias = array(model.output.weight), array(model.output.bias)
        relevance = np.zeros_like(layers[-1]["states"])
        relevance[0] = layers[-1]["states"][0] * (weight[answer] - weight[foil])
        self.lost["bias"] += bias[answer] - bias[foil]
        for layer, kept in zip(reversed(model.layers), reversed(layers), strict=True):
            relevance = self.of_layer(layer, kept, relevance)
        own, of_places = self.of_sum(vectors, placed - vectors, relevance[1:])
        self.lost["constant"] += relevance[0].sum() + of_places.sum()
        return own.sum(axis=1), logits[answer] - logits[foil]
