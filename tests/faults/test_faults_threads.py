"""61: one run, asked by many threads at once."""

import random
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import attnfocus as package
from attnfocus.decoding.side_by_side import num_threads, side_by_side

LINES = ("3 May 1999", "Monday, 12 June 2003", "1 Jan 01", "30.11.2026")
WITH_GRADIENTS = ("gradient_input", "integrated_gradients", "leave_one_out", "attention_gradient")
NUM_THREADS, ROUNDS = 4, 2


@pytest.fixture
def often_switched() -> Iterator[None]:
    """Threads take turns a hundred times as often as they do by themselves."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-5)
    yield
    sys.setswitchinterval(before)


def questions_to(run: Any) -> dict[str, Callable[[], Any]]:
    """What may be asked, each giving texts and numbers."""

    def predicted() -> Any:
        return [(answer.text, answer.score) for answer in run.predict(LINES, batch_size=2)]

    def weighed() -> Any:
        return [
            (answer.text, [weights.tolist() for weights in answer.weights.values()])
            for answer in run.predict(LINES, need_weights=True)
        ]

    def inspected() -> Any:
        shown = run.inspect(LINES[:2], method=["attention", "gradient_input"]).examples
        return [(each.prediction.text, [found.weights.tolist() for found in each.maps]) for each in shown]

    def attributed(method: str) -> Any:
        return run.attribute(LINES[0], method, target="1999-05-03").scores.tolist()

    attributions = {method: lambda method=method: attributed(method) for method in WITH_GRADIENTS}
    return {"predict": predicted, "weights": weighed, "inspect": inspected, **attributions}


def numbers_in(answer: Any) -> list[Any]:
    return [number for part in answer for number in numbers_in(part)] if isinstance(answer, list | tuple) else [answer]


def assert_same(answer: Any, alone: Any) -> None:
    assert len(numbers_in(answer)) == len(numbers_in(alone))
    for one, other in zip(numbers_in(answer), numbers_in(alone), strict=True):
        assert one == other if isinstance(other, str) else np.isclose(one, other, rtol=1e-5, atol=1e-7)


@pytest.mark.slow
def test_61_threads_that_ask_one_run_together_get_the_answers_they_get_alone(
    finished: Path, often_switched: None
) -> None:
    run = package.load(finished, device="cpu")
    questions = questions_to(run)
    alone = {name: question() for name, question in questions.items()}
    needs = [parameter.requires_grad for parameter in run.model.parameters()]
    begin = threading.Barrier(NUM_THREADS)

    def ask(number: int) -> list[tuple[str, Any]]:
        order = random.Random(number).sample([*questions] * ROUNDS, ROUNDS * len(questions))
        begin.wait()
        return [(name, questions[name]()) for name in order]

    with ThreadPoolExecutor(NUM_THREADS) as pool:
        for answers in pool.map(ask, range(NUM_THREADS)):
            for name, answer in answers:
                assert_same(answer, alone[name])
    assert [parameter.requires_grad for parameter in run.model.parameters()] == needs
    assert not any(module.training for module in run.model.modules())


def test_61_a_thread_that_begins_while_others_decode_has_all_of_its_threads() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        seen: list[int] = []
        done = threading.Event()

        def decode() -> None:
            while not done.is_set():
                side_by_side(lambda item: item, range(4), torch.device("cpu"))

        decoding = threading.Thread(target=decode)
        decoding.start()
        for _ in range(200):
            asking = threading.Thread(target=lambda: seen.append(num_threads()))
            asking.start()
            asking.join()
        done.set()
        decoding.join()
        assert set(seen) == {2}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
