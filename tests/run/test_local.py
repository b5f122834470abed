"""The local executor: the worker does not wait for the driver's disk, and nothing is lost with it."""

import os
import signal
import time
from pathlib import Path

from speechzoo import Condition, ScoreAnswer, ScoreAsk, raw
from speechzoo.catalogue import open_catalogue
from speechzoo.run.executors.local import Loading, LocalExecutor
from speechzoo.run.plan import Work
from speechzoo.run.records import Key
from speechzoo.setup import LoadOptions


def batches(count: int) -> list[list[Work]]:
    asks = [ScoreAsk(raw(f"number {n}"), (" a",)) for n in range(2 * count)]
    works = [
        Work(Key(role="model", item=str(n), condition=Condition.T2T), ask, str(n), str(n), 1)
        for n, ask in enumerate(asks)
    ]
    return [works[2 * n : 2 * n + 2] for n in range(count)]


def executor(log: Path) -> LocalExecutor:
    component = open_catalogue().model("instrument", {"log": str(log)})
    return LocalExecutor(Loading(component, LoadOptions()), time_limit=30.0)


def wait_for(log: Path, lines: int) -> None:
    deadline = time.monotonic() + 30
    while len(log.read_text().splitlines()) < lines:
        assert time.monotonic() < deadline, "the worker waits for the driver"
        time.sleep(0.01)


def test_the_worker_is_at_the_next_batch_while_answers_are_stored(
    instrument: dict[str, str], tmp_path: Path
) -> None:
    """Otherwise: the card stands still while the driver writes to a slow disk."""
    log = tmp_path / "log"
    running = executor(log)
    try:
        answered = running.run(batches(3))
        first = next(answered)
        wait_for(log, 4)  # and the driver has asked for nothing more
        rest = list(answered)
    finally:
        running.close()
    assert [work.key.item for done in (first, *rest) for work, _ in done] == list("012345")
    assert len(log.read_text().splitlines()) == 6


def test_a_worker_lost_while_answers_are_stored_costs_none(
    instrument: dict[str, str], tmp_path: Path
) -> None:
    """Otherwise: answers vanish that were given before the worker was killed, or are asked for again."""
    log = tmp_path / "log"
    running = executor(log)
    try:
        answered = running.run(batches(3))
        first = next(answered)
        wait_for(log, 4)
        assert running._process is not None and running._process.pid is not None
        os.kill(running._process.pid, signal.SIGKILL)
        rest = list(answered)
    finally:
        running.close()
    found = [(work.key.item, answer) for done in (first, *rest) for work, answer in done]
    assert [item for item, _ in found] == list("012345")
    assert all(isinstance(answer, ScoreAnswer) for _, answer in found)
    asked = [line.split()[-1] for line in log.read_text().splitlines()]
    assert asked.count("0") == asked.count("1") == 1
