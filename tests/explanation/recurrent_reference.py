"""A small LSTM translator with additive attention by its formulas in float64, one example and one step at a time.

Shapes: S source positions, T target tokens, E width of an embedding, H hidden_size.
"""

import numpy as np
from bert_reference import array, linear, softmax


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(x, state, weights):
    """(h, c) after a step: i, f, g, o = W x + b + U h + d; c' = f c + i g, h' = o tanh c'."""
    of_input, of_hidden, bias, more = weights
    (h, c), size = state, len(state[0])
    gates = of_input @ x + bias + of_hidden @ h + more
    i, f, g, o = (gates[size * k : size * (k + 1)] for k in range(4))
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def weights_of(module, suffix=""):
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return [array(getattr(module, f"{name}{suffix}")) for name in names]


def walk(inputs, state, weights, put=None):
    """The states (h, c) after each of the inputs; `put`: (step, state) to go on from in the place of the own one."""
    states = []
    for number, x in enumerate(inputs):
        state = put[1] if put is not None and put[0] == number else lstm(x, state, weights)
        states.append(state)
    return states


def embedded(table, ids):
    return table.scale * array(table.weight)[ids]


def start_of(module):
    return np.zeros(module.hidden_size), np.zeros(module.hidden_size)


def encode(model, source, put=None):
    """The states of each direction, by name: of `backwards` in the order of its steps, from the last position on."""
    (layer,), inputs = model.encoder.layers, embedded(model.source_embedding, source)
    found = {}
    for name, read in (("forwards", inputs), ("backwards", inputs[::-1])):
        module, own = getattr(layer, name), None if put is None or put[0] != name else put[1:]
        found[name] = walk(read, start_of(module), weights_of(module, "_l0"), own)
    return found


def outputs_of(states):
    """(S, H)."""
    pairs = zip(states["forwards"], states["backwards"][::-1], strict=True)
    return np.array([np.concatenate((one[0], other[0])) for one, other in pairs])


class Decoder:
    """One of the three orders: `recur`, `feed` (input feeding) or `attend` (attend first)."""

    def __init__(self, model, states, order):
        self.model, self.order = model, order
        self.keys, score = outputs_of(states), model.decoder.attention.score
        self.of_query, self.of_keys = array(score.query_weight)[0], array(score.key_weight)[0]
        self.bias, self.vector = array(score.bias)[0, 0], array(score.vector)[0]
        final = np.concatenate((states["forwards"][-1][0], states["backwards"][-1][0]))
        hidden, cell = model.bridge.hidden[0], model.bridge.cell[0]
        self.first = (np.tanh(linear(final, hidden)), linear(final, cell))
        own = model.decoder.recurrent
        self.weights = weights_of(own.layers, "_l0") if order == "recur" else weights_of(own.cells[0])

    def context(self, query, zeroed):
        scores = [self.vector @ np.tanh(self.of_query @ query + self.of_keys @ key + self.bias) for key in self.keys]
        weights = softmax(np.array(scores))
        return sum(weights[k] * self.keys[k] for k in range(len(weights)) if k != zeroed)

    def step(self, token, state, fed, zeroed=None, put=None):
        """The state and the readout after a token, without the value of one position, or with another state."""
        own = embedded(self.model.target_embedding, token)
        readout = self.model.decoder.readout
        if self.order == "attend":
            context = self.context(state[0], zeroed)
            state = lstm(np.concatenate((own, context)), state, self.weights) if put is None else put
            return state, linear(np.concatenate((state[0], context, own)), readout)
        inputs = np.concatenate((own, fed)) if self.order == "feed" else own
        state = lstm(inputs, state, self.weights) if put is None else put
        return state, linear(np.concatenate((self.context(state[0], zeroed), state[0])), readout)

    def begun(self, tokens, put=None):
        """Of each step what it starts from: (token, state, fed); and the states and readouts behind it."""
        state, fed = self.first, np.zeros(self.model.decoder.readout.out_features)
        starts, states, readouts = [], [], []
        for number, token in enumerate(tokens):
            starts.append((token, state, fed))
            state, fed = self.step(token, state, fed, put=put[1] if put is not None and put[0] == number else None)
            states.append(state)
            readouts.append(fed)
        return starts, states, readouts
