"""Batches side by side: the same answers in the same order, each worker on its share of the cores."""

import threading

import pytest
import torch
from tasks_toys import PAIRS, batches, pair_codec, rows, seq2seq, transformer

from attnfocus.decoding import DecodingOptions
from attnfocus.decoding.side_by_side import MAX_WORKERS, grouped, num_workers, side_by_side
from attnfocus.tasks import TranslationTask

CPU = torch.device("cpu")


@pytest.fixture(params=[1, 2, 6])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_results_keep_their_order_and_threads_come_back(threads):
    def answer(item):
        return item, torch.get_num_threads(), torch.is_inference_mode_enabled(), threading.get_ident()

    found = side_by_side(answer, range(20), CPU)
    assert [item for item, *_ in found] == list(range(20))
    workers = min(MAX_WORKERS, threads)
    assert {share for _, share, *_ in found} == {threads // workers}
    assert all(is_inference for *_, is_inference, _ in found)
    assert torch.get_num_threads() == threads
    assert not torch.is_inference_mode_enabled()


def test_in_turn_all_run_in_the_calling_thread(threads):
    found = side_by_side(lambda item: (item, threading.get_ident()), range(5), CPU, in_turn=True)
    assert found == [(item, threading.get_ident()) for item in range(5)]


def test_an_error_is_that_of_the_item_and_leaves_no_thread_behind(threads):
    def answer(item):
        if item == 3:
            raise ValueError("the third")
        return item

    with pytest.raises(ValueError, match="the third"):
        side_by_side(answer, range(20), CPU)
    assert torch.get_num_threads() == threads
    assert not [each for each in threading.enumerate() if each.name.startswith("ThreadPoolExecutor")]


def test_where_batches_would_not_run_at_once_there_is_one_worker(monkeypatch, threads):
    assert num_workers(torch.device("cuda")) == 1
    assert [len(group) for group in grouped(range(3), torch.device("cuda"))] == [1, 1, 1]
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    assert num_workers(CPU) == 1


def test_groups_are_read_when_they_are_asked_for(threads):
    read = []
    groups = grouped((read.append(number) or number for number in range(100)), CPU)
    first = next(groups)
    assert read == first == list(range(len(first)))
    assert [*first, *(number for group in groups for number in group)] == list(range(100))


@pytest.mark.slow
@pytest.mark.parametrize("make", [seq2seq, transformer])
@pytest.mark.parametrize("options", [{}, {"beam_size": 3, "num_best": 2}, {"sampling": True, "num_best": 2}])
def test_answers_and_metrics_are_those_of_one_batch_after_the_other(threads, make, options):
    codec, decoding = pair_codec(), DecodingOptions(**options)
    model, task = make(codec), TranslationTask(codec)

    def answered():
        torch.manual_seed(3)
        texts = list(task.predict(model, batches(codec, rows(PAIRS), 2), decoding=decoding))
        torch.manual_seed(3)
        return texts, task.evaluate(model, batches(codec, rows(PAIRS), 2), decoding=decoding)

    texts, evaluation = answered()
    torch.set_num_threads(1)
    expected, expected_evaluation = answered()
    assert [(each.id, each.text, each.n_best and each.n_best[1].text) for each in texts] == [
        (each.id, each.text, each.n_best and each.n_best[1].text) for each in expected
    ]
    assert evaluation.metrics == pytest.approx(expected_evaluation.metrics, rel=1e-5)
