"""The rules of the verdict on samples made by hand, and the leads that they are made of."""

import json

import numpy as np
import pytest
import torch

from attnfocus.focus.leads import fewest_holding, lead, most_important, share_left
from attnfocus.focus.samples import ERASURES, RANKINGS, SHARES, WAYS, Samples, draws_of, mean_recalls, means
from attnfocus.focus.verdict import Thresholds, Verdict, decide, estimates_of
from attnfocus.focus.verdict_glossary import glossary
from attnfocus.focus.verdict_words import LANGUAGES, Facts, sentences

PLACES = {name: number for number, name in enumerate(RANKINGS)}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_a_lead_by_hand():
    logits = torch.tensor([[1.0, 4.0, 2.5], [3.0, 0.0, 3.5]])
    answers = torch.tensor([1, 0])
    assert lead(logits, answers).tolist() == [1.5, -0.5]
    assert share_left(torch.tensor([1.5, -3.0, 9.0]), torch.tensor([3.0, 1.0, 3.0])).tolist() == [0.5, 0.0, 1.0]


@pytest.mark.parametrize("factor", [0.05, 0.2, 5.0, 300.0])
def test_a_factor_on_the_logits_changes_no_share(factor):
    whole, less = (torch.randn(50, 7, generator=generator(seed)) for seed in (1, 2))
    answers = whole.argmax(dim=1)
    shares = [share_left(lead(scale * less, answers), lead(scale * whole, answers)) for scale in (1.0, factor)]
    torch.testing.assert_close(shares[0], shares[1], rtol=1e-5, atol=1e-6)
    assert 0.05 < shares[0].mean() < 0.95


def test_the_fewest_positions_that_hold_a_share():
    weights = torch.tensor([[0.1, -0.6, 0.3, 9.0], [0.25, 0.25, 0.25, 0.25], [0.0, 0.0, 0.0, 0.0]])
    mask = torch.tensor([[True, True, True, False], [True] * 4, [True] * 4])
    half, most = (fewest_holding(weights, mask, share, generator()) for share in (0.5, 0.95))
    assert half[0].tolist() == [False, True, False, False]  # by size; 9.0 is padding
    assert most[0].tolist() == [True, True, True, False]
    assert half.sum(dim=1).tolist() == [1, 2, 0]
    # Beside 1.0 nothing else is taken, whatever its rank.
    hidden = fewest_holding(torch.tensor([[1.0, 1e-5, 0.0]]), mask[:1, :3], 0.9, generator())
    assert hidden.tolist() == [[True, False, False]]


def test_ties_are_broken_at_random():
    mask = torch.ones(400, 4, dtype=torch.bool)
    taken = fewest_holding(torch.full((400, 4), 0.25), mask, 0.5, generator())
    assert (taken.float().mean(dim=0) - 0.5).abs().max() < 0.1
    top = most_important(torch.tensor([[1.0, 3.0, 2.0, 0.0]]), mask[:1], torch.tensor([2]), generator())
    assert top.tolist() == [[False, True, True, False]]


def samples(
    *,
    size=64,
    noise=0.02,
    nothing=0.0,
    dependent=1.0,
    half=0.1,
    heaviest=None,
    answers=None,
    targets=None,
    right=None,
    **leads,
):
    """Of removing `lost` and of keeping `left`: (weights, leave-one-out, gradients, random), in all erasures or one."""
    random = np.random.default_rng(3)
    made = {"lost": (0.9, 0.9, 0.9, 0.2), "left": (0.9, 0.9, 0.9, 0.2), **leads}
    left = np.empty((size, len(ERASURES), len(WAYS), len(RANKINGS), len(SHARES)))
    for place, erasure in enumerate(ERASURES):
        lost, kept = (np.array(made.get(f"{name}_{erasure}", made[name])) for name in ("lost", "left"))
        left[:, place, 0], left[:, place, 1] = 1 - lost[:, None], kept[:, None]
    if heaviest is not None:  # the first share says something else
        left[:, :, 0, 0, 0], left[:, :, 1, 0, 0] = 1 - heaviest, heaviest
    left = np.clip(left + noise * random.standard_normal(left.shape), 0, 1)
    answers = np.arange(size) % 2 if answers is None else np.array(answers)
    return Samples(
        left,
        np.where(left < 0.5, 1.0, 0.0),
        np.full((size, len(ERASURES)), nothing),
        np.full((size, len(ERASURES)), dependent),
        np.full(size, half),
        answers,
        answers if targets is None else np.array(targets),
        np.full((size, 2), np.nan) if right is None else np.clip(right + 0.1 * random.standard_normal((size, 2)), 0, 1),
        0.4,
    )


SAYS_LITTLE = (0.25, 0.9, 0.9, 0.2)


@pytest.mark.parametrize(
    ("made", "answer", "reason"),
    [
        ({}, "yes", "points"),
        ({"lost": SAYS_LITTLE, "left": SAYS_LITTLE}, "no", "elsewhere"),
        ({"lost": (0.5, 0.9, 0.9, 0.2), "left": (0.45, 0.9, 0.9, 0.2)}, "partly", "weak"),
        ({"half": 0.45}, "partly", "even"),
        ({"heaviest": 0.21}, "partly", "weak"),
        ({"lost_cut": (0.1, 0.1, 0.1, 0.9), "left_cut": (0.1, 0.1, 0.1, 0.9)}, "no", "elsewhere"),
        ({"lost": (0.31, 0.34, 0.34, 0.23), "left": (0.3, 0.34, 0.34, 0.23)}, "partly", "spread"),
        ({"dependent": 0.1}, "partly", "few_texts"),
        ({"left": SAYS_LITTLE}, "partly", "together"),
        ({"lost": SAYS_LITTLE}, "partly", "repeated"),
        ({"lost": (0.25, 0.3, 0.9, 0.2), "left": (0.3, 0.3, 0.3, 0.25)}, "no", "elsewhere"),
        ({"size": 5}, "cannot_tell", "too_few"),
        ({"size": 0}, "cannot_tell", "too_few"),  # each input has one position alone
        ({"targets": [0, 1, 1, 0] * 16}, "cannot_tell", "unlearned"),
        ({"right": (0.4, 0.4)}, "cannot_tell", "unrelated"),
        ({"right": (0.5, 0.4)}, "yes", "points"),
        ({"answers": [1] * 64}, "cannot_tell", "same_answer"),
        ({"nothing": 0.97}, "cannot_tell", "input_unused"),
        ({"dependent": 0.0}, "cannot_tell", "input_unused"),
        ({"lost": (0.3,) * 4, "left": (0.3,) * 4}, "cannot_tell", "no_ranking"),
        # What cutting alone says does not count: in place nothing changes.
        ({"lost_masked": SAYS_LITTLE, "left_masked": SAYS_LITTLE}, "no", "elsewhere"),
        # A way in which no ranking does better than chance is not looked at.
        ({"left": (0.3, 0.3, 0.3, 0.28)}, "yes", "points"),
        ({"left": (0.3, 0.3, 0.3, 0.28), "lost": (0.4, 0.4, 0.4, 0.2)}, "partly", "together"),
    ],
)
def test_the_verdict_follows_its_rules(made, answer, reason):
    found = decide(samples(**made))
    assert (found.answer, found.reason) == (answer, reason)
    assert found.confidence > 0.95
    assert not found.near_border
    assert found.answer != found.second
    facts = Facts("pooling", "test", 64, {"faithfulness/permuted_flips": 0.4})
    said = {language: sentences(found, facts, language) for language in LANGUAGES}
    assert all(len(each) == 3 for each in said.values())
    assert not any("{" in sentence for each in said.values() for sentence in each)
    assert said["en"][0].startswith(answer.replace("_", " ").capitalize())


def test_a_verdict_between_two_says_so():
    limits = Thresholds()
    middle = 0.2 + limits.skill_yes * 0.7
    found = decide(samples(noise=0.3, lost=(middle, 0.9, 0.9, 0.2), left=(middle, 0.9, 0.9, 0.2)))
    assert found.near_border
    assert 0.05 < found.confidence < limits.sure
    assert {found.answer, found.second} == {"yes", "partly"}
    facts = Facts("pooling", "test", 64, {"faithfulness/permuted_flips": 0.4})
    for first, second in (("yes", "partly"), ("partly", "yes")):  # the weaker of the two says what may be said
        of_both = Verdict(first, "points", 0.6, near_border=True, second=second)
        said = sentences(of_both, facts, "en")
        assert said[0].startswith(f"{first.capitalize()} or {second}, near the border (60% sure of the first): ")
        assert "on average" in said[1]
        assert "a single answer" in said[2]
    assert sentences(of_both, facts, "zh")[0].startswith("部分可信或可信，接近界限（对前者的把握 60%）：")
    assert decide(samples(noise=0.3), Thresholds(skill_yes=1.5)).answer == "partly"


def test_words_tell_what_shuffling_says():
    found = decide(samples())
    told = {
        changed: sentences(found, Facts("pooling", "test", 64, {"faithfulness/permuted_flips": changed}), "en")[2]
        for changed in (0.02, 0.6)
    }
    assert "with shuffled weights 98% of them stay the same" in told[0.02]
    assert "only explanation" in told[0.6]
    assert "cannot be replaced" in sentences(found, Facts("pooling", "test", 64, {}), "en")[2]


def test_what_a_sentence_says_of_positions_is_beside_chance_and_the_best():
    found = decide(samples(lost=(0.6, 0.8, 0.7, 0.2), left=(0.5, 0.5, 0.9, 0.1)))
    of = {"weights": 0.6, "leave_one_out": 0.8, "integrated_gradients": 0.7, "random": 0.2}
    numbers = {f"faithfulness/lost_masked_{ranking}": value for ranking, value in of.items()}
    numbers |= {f"faithfulness/left_cut_{ranking}": value / 2 for ranking, value in of.items()}
    said = sentences(found, Facts("pooling", "test", 64, numbers), "en")[1]
    assert "loses 0.60 of its lead (as many at random: 0.20, best known: 0.80)" in said
    assert "keeps 0.30 (at random: 0.10, best known: 0.40)" in said
    numbers["faithfulness/skill_kept"] = 0.6  # the other way tells no ranking from chance
    for answer, positions in (("yes", "them"), ("no", "the positions of most weight")):
        said = sentences(Verdict(answer, found.reason), Facts("pooling", "test", 64, numbers), "en")[1]
        assert "loses" not in said
        assert said.endswith(
            f"with {positions} alone an answer keeps 0.30 of its lead (as many at random: 0.10, best known: 0.40)."
        )


def test_a_glossary_explains_a_verdict_alone():
    found = decide(samples())
    lines = {is_of_tokens: glossary(found, is_of_tokens=is_of_tokens) for is_of_tokens in (False, True)}
    for language in LANGUAGES:
        assert lines[True][language][1:] == lines[False][language][1:]
        assert lines[True][language][0] != lines[False][language][0]
    assert not any(glossary(decide(samples(size=5)), is_of_tokens=False).values())


def test_the_estimates_are_ratios_of_means():
    made = samples(noise=0.0, nothing=0.1, lost=(0.6, 0.8, 0.7, 0.2), left=(0.5, 0.5, 0.9, 0.1))
    found = estimates_of(made)
    assert found.skills[0] == pytest.approx([(0.6 - 0.2) / (0.8 - 0.2), (0.5 - 0.1) / (0.9 - 0.1)])
    assert found.gains[0] == pytest.approx([(0.6 - 0.2) / 0.9, (0.5 - 0.1) / 0.9])
    assert found.skills[1:].std(axis=0).max() == pytest.approx(0, abs=1e-9)


def test_the_bootstrap_covers_the_spread_of_a_mean():
    values = np.random.default_rng(1).standard_normal(400)
    found = means(draws_of(400, 1000, 0), values)
    assert found[0] == pytest.approx(values.mean())
    assert found[1:].std() == pytest.approx(values.std() / 20, rel=0.15)
    values[:200] = np.nan
    assert means(draws_of(400, 10, 0), values)[0] == pytest.approx(values[200:].mean())


def test_recall_is_a_mean_over_classes():
    draws = draws_of(6, 5, 0)
    found = mean_recalls(draws, np.array([0, 0, 0, 0, 1, 0]), np.array([0, 0, 0, 0, 1, 1]))
    assert found is not None
    assert found[0] == pytest.approx((1 + 0.5) / 2)
    assert mean_recalls(draws, np.zeros(6, int), np.full(6, -1)) is None


def test_samples_are_the_same_after_json():
    made = samples(size=9)
    made.left[0, 2] = np.nan
    again = Samples.of(json.loads(json.dumps(made.facts())))
    np.testing.assert_allclose(again.left, made.left, atol=1e-5)
    assert decide(again) == decide(made)
    older = {name: values for name, values in made.facts().items() if name != "right"}
    assert decide(Samples.of(older)) == decide(made)
    both = Samples.together([made, again])
    assert len(both) == 18
    assert both.shuffled_changed == 0.4
