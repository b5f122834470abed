"""Local workers: one does not wait for the driver's disk or for another, and nothing is lost with it."""

import os
import random
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from speechzoo import ScoreAnswer
from speechzoo.catalogue import open_catalogue
from speechzoo.cli.eval import command
from speechzoo.errors import SetupError, SpeechzooError
from speechzoo.loading import Component
from speechzoo.run.executors.devices import read_devices
from speechzoo.run.executors.local import Loading, LocalExecutor
from speechzoo.run.executors.pool import State
from speechzoo.run.executors.worker import WorkerLostError
from speechzoo.run.request import Request
from speechzoo.setup import LoadOptions
from tests.run.broken_card import broken_card
from tests.run.in_process import InProcess
from tests.run.long_answers import long_answers
from tests.run.many_workers import Spare, batches, failures, items, run, work

DELAY = 0.01


@contextmanager
def closing(running: LocalExecutor) -> Iterator[LocalExecutor]:
    try:
        yield running
    finally:
        running.close()


def executor(
    workers: int = 1, time_limit: float = 30.0, **settings: object
) -> AbstractContextManager[LocalExecutor]:
    component = open_catalogue().model("instrument", {name: str(value) for name, value in settings.items()})
    return closing(LocalExecutor(Loading(component, LoadOptions()), time_limit, ["cpu"] * workers))


def process_ids(running: LocalExecutor) -> list[int]:
    """Of the workers that run."""
    found = [place.worker.process_id for place in running._pool.places]
    return [number for number in found if number is not None]


def wait_for(log: Path, lines: int) -> None:
    deadline = time.monotonic() + 30
    while not log.exists() or len(log.read_text().splitlines()) < lines:
        assert time.monotonic() < deadline, "the worker waits for the driver"
        time.sleep(0.01)


def test_the_worker_is_at_the_next_batch_while_answers_are_stored(
    instrument: dict[str, str], tmp_path: Path
) -> None:
    """Otherwise: the card stands still while the driver writes to a slow disk."""
    log = tmp_path / "log"
    with executor(log=log) as running:
        answered = running.run(batches(3))
        first = next(answered)
        wait_for(log, 4)  # and the driver has asked for nothing more
        rest = list(answered)
    assert items([first, *rest]) == list("012345")
    assert len(log.read_text().splitlines()) == 6


def test_a_worker_lost_while_answers_are_stored_costs_none(
    instrument: dict[str, str], tmp_path: Path
) -> None:
    """Otherwise: answers vanish that were given before the worker was killed, or are asked for again."""
    log = tmp_path / "log"
    with executor(log=log) as running:
        answered = running.run(batches(3))
        first = next(answered)
        wait_for(log, 4)
        os.kill(*process_ids(running), signal.SIGKILL)
        rest = list(answered)
    assert items([first, *rest]) == list("012345")
    assert all(isinstance(answer, ScoreAnswer) for done in (first, *rest) for _, answer in done)
    asked = [line.split()[-1] for line in log.read_text().splitlines()]
    assert asked.count("0") == asked.count("1") == 1


def test_a_hung_worker_does_not_hold_up_its_neighbour(instrument: dict[str, str]) -> None:
    """Otherwise: one hanging item stops every card until its time is over."""
    with executor(workers=2, time_limit=2.0, fault="hang", delay=0.02) as running:
        answered = list(running.run(batches(30, poison=0)))
    assert failures(answered) == {"0": "timed_out"}
    assert sorted(items(answered), key=int) == [str(n) for n in range(60)]
    # Its neighbour had answered all the rest before the first time limit was over.
    assert [len(done) for done in answered[:29]] == [2] * 29


def test_an_item_that_kills_every_worker_is_set_aside(instrument: dict[str, str], tmp_path: Path) -> None:
    """Otherwise: one poison item takes the workers of a run down for ever, or its innocent neighbours."""
    log = tmp_path / "log"
    with executor(workers=2, fault="exit", log=log) as running:
        answered = list(running.run(batches(4, poison=3)))
    assert failures(answered) == {"3": "worker_died"}
    assert sorted(items(answered)) == list("01234567")
    # Once in its batch, and three times alone, whoever asked it.
    assert sum("poison" in line for line in log.read_text().splitlines()) == 4


def test_a_machine_that_cannot_load_the_model_ends_the_run(
    instrument: dict[str, str], tmp_path: Path
) -> None:
    """Otherwise: a missing driver is told as thousands of failed items."""
    loading = Loading(broken_card(tmp_path, 0.0), LoadOptions())
    with (
        closing(LocalExecutor(loading, 30.0, ["cpu", "cpu"])) as running,
        pytest.raises(SetupError, match="broken-card could not be loaded:\nno such device"),
    ):
        list(running.run(batches(3)))


def test_a_worker_that_cannot_be_loaded_again_is_done_without(
    instrument: dict[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Otherwise: one broken card of eight ends a night's run."""
    broken = tmp_path / "broken"
    loading = Loading(broken_card(broken, 0.1), LoadOptions())
    with closing(LocalExecutor(loading, 30.0, ["cpu", "cpu"])) as running:
        answered = running.run(batches(20))
        first = [next(answered)]
        while running._pool._at(State.LOADING):
            first.append(next(answered))
        broken.touch()
        os.kill(process_ids(running)[0], signal.SIGKILL)
        rest = list(answered)
        assert len(process_ids(running)) == 1
    assert sorted(items([*first, *rest]), key=int) == [str(n) for n in range(40)]
    assert not failures([*first, *rest])
    (told,) = [record.message for record in caplog.records]
    assert "the others go on without it" in told and "no such device" in told


def test_the_last_worker_that_cannot_be_loaded_again_ends_the_run(
    instrument: dict[str, str], tmp_path: Path
) -> None:
    """Otherwise: a run without any worker waits for ever, or loses what was answered before."""
    broken = tmp_path / "broken"
    loading = Loading(broken_card(broken, 0.05), LoadOptions())
    with closing(LocalExecutor(loading, 30.0)) as running:
        answered = running.run(batches(5))
        first = next(answered)
        broken.touch()
        os.kill(*process_ids(running), signal.SIGKILL)
        with pytest.raises(SetupError, match="no such device"):
            list(answered)
    assert items([first]) == ["0", "1"]


@pytest.mark.parametrize(
    ("kills", "count"),
    [(2, 60), pytest.param(20, 300, marks=pytest.mark.slow)],
    ids=["twice", "twenty times"],
)
def test_two_workers_that_are_killed_report_what_one_reports(
    instrument: dict[str, str], tmp_path: Path, kills: int, count: int
) -> None:
    """Otherwise: the number of cards, or a crash of one, changes a result."""
    one = run(tmp_path / "one", InProcess, DELAY, count)
    assert run(tmp_path / "killed", killed := Killed(workers=2, kills=kills), DELAY, count) == one
    assert killed.kills == kills


class Killed:
    """Makes an executor whose workers are killed at random instants, so many times in all."""

    def __init__(self, workers: int, kills: int) -> None:
        self.kills, self._workers, self._wanted = 0, workers, kills

    def __call__(self, component: Component, request: Request) -> LocalExecutor:
        loading = Loading(component, request.load_options())
        self._running = LocalExecutor(loading, 30.0, ["cpu"] * self._workers)
        threading.Thread(target=self._kill, daemon=True).start()
        return self._running

    def _kill(self) -> None:
        chance = random.Random(20)
        spare = Spare()
        while self.kills < self._wanted:
            time.sleep(chance.uniform(0.05, 0.2))
            at_work = [place for place in self._running._pool.places if place.state is State.BUSY]
            if not at_work:
                continue
            place = chance.choice(at_work)
            number = place.worker.process_id
            if number is not None and spare.may_die(place.batch):
                with suppress(ProcessLookupError):  # the run was over before
                    os.kill(number, signal.SIGKILL)
                    self.kills += 1


def kill(worker: Any) -> None:
    os.kill(worker.process_id, signal.SIGKILL)


def test_a_worker_killed_in_the_middle_of_what_it_sends_is_lost_like_any_other(
    instrument: dict[str, str],
) -> None:
    """Otherwise: a run of spoken replies ends with an error of pipes when one worker runs out of memory."""
    with closing(LocalExecutor(Loading(long_answers(), LoadOptions()), 60.0)) as running:
        (place,) = running._pool.places
        wait, killed = running._pool._wait, 0

        def wait_and_kill(workers: Sequence[Any], seconds: float) -> Sequence[Any]:
            nonlocal killed
            ready = wait(workers, seconds)
            if ready and place.state is State.BUSY and killed < 2:
                kill(place.worker)
                killed += 1
            return ready

        running._pool._wait = wait_and_kill
        answered = list(running.run([[work(0)]]))
    assert killed == 2 and items(answered) == ["0"] and not failures(answered)


@pytest.mark.parametrize("waits", [False, True], ids=["while it loads", "while it waits"])
def test_a_worker_that_is_gone_says_so(instrument: dict[str, str], waits: bool) -> None:
    """Otherwise: a worker that was killed, by whoever that was, takes the run with it."""
    with closing(LocalExecutor(Loading(long_answers(), LoadOptions()), 60.0)) as running:
        worker: Any = running._pool.places[0].worker
        worker.start()
        if waits:
            worker.loaded()
        kill(worker)
        worker.join(10.0)
        with pytest.raises(WorkerLostError, match="worker ended with code -9"):
            if waits:
                worker.send([work(0).ask])
            else:
                worker.loaded()


@pytest.mark.parametrize("devices", ["cuda:0,cuda:1", "cuda:0 x2"])
def test_a_model_spread_over_all_cards_is_one_worker(devices: str) -> None:
    """Otherwise: each of two workers is spread over all cards, on top of the other."""
    spread = ["-m", "some-model", "-t", "some-task", "--device-map", "auto", "--device"]
    refused = CliRunner().invoke(command, [*spread, devices])
    assert refused.exit_code == 2
    assert "--device-map auto spreads one model over all cards" in " ".join(refused.output.split())
    assert "spreads" not in CliRunner().invoke(command, [*spread, "cuda:0"]).output


@pytest.mark.parametrize(
    ("text", "devices"),
    [
        ("cpu", ("cpu",)),
        ("cuda:0,cuda:1", ("cuda:0", "cuda:1")),
        ("cpu x2", ("cpu", "cpu")),
        ("cuda:0 x2, cuda:1", ("cuda:0", "cuda:0", "cuda:1")),
    ],
)
def test_devices_are_read(text: str, devices: tuple[str, ...]) -> None:
    """Otherwise: a machine's second card stands still."""
    assert read_devices(text) == devices


@pytest.mark.parametrize("text", ["", "cpu x0", "cuda:a", "cpu,", "cpu;cpu", "2"])
def test_what_names_no_device_is_refused(text: str) -> None:
    """Otherwise: a typo runs on another device than was meant."""
    with pytest.raises(SpeechzooError, match="is no device"):
        read_devices(text)


def test_devices_of_two_kinds_are_refused() -> None:
    """Otherwise: half of a number is rounded as on a card, half as on a CPU."""
    with pytest.raises(SpeechzooError, match=r"several kinds \(cpu, cuda\)"):
        read_devices("cuda:0,cpu")


def test_workers_share_the_cores(
    instrument: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise: two workers on one machine start a thread for every core each, and both are slow."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(12))
    loading = Loading(broken_card(tmp_path / "none", 0.05), LoadOptions())
    with closing(LocalExecutor(loading, 30.0, ["cpu"] * 3)) as running:
        list(running.run(batches(3)))
        found = {Path(f"/proc/{number}/environ").read_bytes() for number in process_ids(running)}
    assert all(b"\0OMP_NUM_THREADS=4\0" in environment + b"\0" for environment in found) and found
    assert "OMP_NUM_THREADS" not in os.environ
