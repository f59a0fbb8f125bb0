"""What tests of several models share: sentence pairs, gradients, steps against teacher forcing, dropout, learning."""

import torch
from torch.nn import functional as F

from attnfocus.special import BOS


def batch():
    """Four sentences of 6, 2, 4 and 1 tokens, their lengths, and as many targets of five."""
    generator = torch.Generator().manual_seed(2)
    source = torch.randint(4, 12, (4, 6), generator=generator)
    lengths = torch.tensor([6, 2, 4, 1])
    source[torch.arange(6) >= lengths.unsqueeze(1)] = 0
    target = torch.randint(4, 12, (4, 5), generator=generator)
    target[:, 0] = BOS
    return source, lengths, target


def gradients(model, loss):
    """Name -> gradient of each parameter that the loss depends on."""
    model.zero_grad()
    loss.backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def assert_steps_equal_teacher_forcing(model, cross):
    """`cross` is what a forward pass calls the weights that a step gives."""
    source, lengths, target = batch()
    output = model(source, lengths, target, need_weights=True)
    memory = model.encode(source, lengths)
    state = model.start(memory)
    for position, tokens in enumerate(target.unbind(1)):
        logits, state, weights = model.step(tokens, state, memory, need_weights=True)
        torch.testing.assert_close(logits, output.logits[:, position])
        torch.testing.assert_close(weights, output.weights[cross][:, :, position])


def assert_dropout_acts_in_training_only(model, inputs):
    assert not torch.equal(model(*inputs).logits, model(*inputs).logits)
    model.eval()
    assert torch.equal(model(*inputs).logits, model(*inputs).logits)


def loss_after_learning(model, answer, *, lr, steps=150, num_sentences=32):
    """Loss after training on random sentences of five of four tokens, with the targets answer(source).

    Guessing is log 4 = 1.39.
    """
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    for _ in range(steps):
        source = torch.randint(4, 8, (num_sentences, 5))
        target = torch.cat([torch.full((num_sentences, 1), BOS), answer(source)], dim=1)
        logits = model(source, torch.full((num_sentences,), 5), target[:, :-1]).logits
        loss = F.cross_entropy(logits.flatten(0, 1), target[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()
