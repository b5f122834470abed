"""The queue and what becomes of lost workers, on a clock of the tests' own: nothing here takes time."""

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace

import pytest

from speechzoo import Ask, ContinuationScore, ScoreAnswer
from speechzoo.errors import SetupError
from speechzoo.run.executors import Answered
from speechzoo.run.executors import pool as module
from speechzoo.run.executors.pool import PATIENCE, Pool
from speechzoo.run.executors.worker import WorkerLostError
from tests.run.many_workers import batches, failures, items, work

TIME_LIMIT = 60.0
LOST = WorkerLostError("its node is gone")
BROKEN = SetupError("no such device")
NEVER = (math.inf, None)

Load = tuple[float, SetupError | WorkerLostError | None]
"""Seconds that loading takes, and how it fails."""


class Clock:
    """Stands still while code runs."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=clock.monotonic))
    return clock


class Scripted:
    """A worker that does what was written down for it.

    Args:
        clock: what its times are read from.
        loads: one after the other; the last one again and again.
        seconds: that a batch takes.
        sends: which of the batches it is given it takes, by their number; others find it dead.
        answers: which of those that it took it answers.
    """

    def __init__(
        self,
        clock: Clock,
        loads: Sequence[Load] = ((1.0, None),),
        seconds: float = 1.0,
        sends: Callable[[int], bool] = lambda _: True,
        answers: Callable[[int], bool] = lambda _: True,
    ) -> None:
        self.clock, self.loads, self.seconds = clock, list(loads), seconds
        self.takes, self.survives = sends, answers
        self.started = self.given = self.taken = 0
        self.ready_at = math.inf
        self.asks: Sequence[Ask] = ()

    def start(self) -> None:
        seconds, self.fault = self.loads[min(self.started, len(self.loads) - 1)]
        self.started += 1
        self.ready_at = self.clock.now + seconds

    def loaded(self) -> None:
        if self.fault is not None:
            raise self.fault

    def send(self, asks: Sequence[Ask]) -> None:
        self.given += 1
        if not self.takes(self.given):
            raise LOST
        self.taken += 1
        self.asks, self.ready_at = asks, self.clock.now + self.seconds

    def answers(self) -> list[ScoreAnswer]:
        if not self.survives(self.taken):
            raise LOST
        return [ScoreAnswer((ContinuationScore(-1.0, 1),)) for _ in self.asks]

    def kill(self) -> None:
        self.ready_at = math.inf


def pool_of(clock: Clock, *workers: Scripted, patience: float = PATIENCE) -> Pool[Scripted]:
    def wait(begun: Sequence[Scripted], seconds: float) -> list[Scripted]:
        until = min([clock.now + seconds, *(worker.ready_at for worker in begun)])
        assert until < math.inf, "it waits for ever"
        clock.now = max(clock.now, until)
        return [worker for worker in begun if worker.ready_at <= clock.now]

    return Pool("some-model", workers, wait, TIME_LIMIT, patience)


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.levelno >= logging.WARNING]


def until_it_ends(answered: Iterator[Answered], problem: str) -> list[Answered]:
    """What was handed back before the run ended with this problem."""
    found = []
    with pytest.raises(SetupError, match=problem):
        for done in answered:
            found.append(done)
    return found


def test_work_is_shared_by_all_that_are_free(clock: Clock) -> None:
    """Otherwise: the fast card waits for the slow one."""
    fast, slow = Scripted(clock), Scripted(clock, seconds=10.0)
    answered = list(pool_of(clock, fast, slow).run(batches(12)))
    assert sorted(items(answered), key=int) == [str(n) for n in range(24)]
    assert (fast.given, slow.given) == (11, 1)
    assert clock.now == 12.0


def test_a_batch_that_was_never_begun_costs_its_item_no_life(clock: Clock) -> None:
    """Otherwise: three workers of a lost node, idle until then, set aside an item that none of them saw."""
    dead_once = [Scripted(clock, sends=lambda number: number != 2) for _ in range(3)]
    pool = pool_of(clock, *dead_once)
    assert not failures(list(pool.run(batches(3))))
    assert all(worker.given == 1 for worker in dead_once)
    answered = list(pool.run([[work(7)]]))
    assert items(answered) == ["7"] and not failures(answered)
    assert [worker.given for worker in dead_once].count(2) >= 2


def test_a_batch_that_was_never_begun_stays_a_batch(clock: Clock) -> None:
    """Otherwise: the death of an idle worker has items asked apart, which rounds otherwise."""
    worker = Scripted(clock, sends=lambda number: number != 2)
    answered = list(pool_of(clock, worker).run(batches(3)))
    assert [items([done]) for done in answered] == [["0", "1"], ["2", "3"], ["4", "5"]]


def test_a_worker_that_dies_whenever_it_waits_is_given_up(clock: Clock) -> None:
    """Otherwise: it is loaded anew for ever."""
    worker = Scripted(clock, sends=lambda _: False)
    assert (
        until_it_ends(pool_of(clock, worker).run(batches(1)), "could not be loaded: its node is gone") == []
    )
    assert worker.started == 3 == worker.given


def test_a_lost_worker_that_cannot_be_loaded_again_is_not_tried_for_ever(clock: Clock) -> None:
    """Otherwise: one crash while a model is loaded anew, and the run loads it again and again without end."""
    loads = [(1.0, None), (1.0, LOST), (1.0, BROKEN)]
    worker = Scripted(clock, loads, answers=lambda number: number == 1)
    found = until_it_ends(pool_of(clock, worker).run(batches(2)), "could not be loaded:\nno such device")
    assert items(found) == ["0", "1"]
    assert worker.started == 3


def test_only_a_lost_worker_is_tried_again(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """Otherwise: a card that is broken is loaded on over and over, each time for minutes."""
    good, crashes = Scripted(clock), Scripted(clock, [(2.0, None), (2.0, LOST)], answers=lambda _: False)
    broken = Scripted(clock, [(3.0, BROKEN)])
    answered = list(pool_of(clock, good, crashes, broken).run(batches(30)))
    assert sorted(items(answered), key=int) == [str(n) for n in range(60)] and not failures(answered)
    assert broken.started == 1
    assert crashes.started == 1 + 3  # the first time it was loaded, then lost three times over loading
    assert [one.partition(": ")[0] for one in told(caplog)] == [
        "a worker is given up and the others go on without it"
    ] * 2


def test_a_broken_machine_that_joins_late_is_done_without(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Otherwise: one node of another version, hours later, ends the run of all others."""
    late = Scripted(clock, [(3600.0, SetupError("speechzoo 0.1.0 is wanted, the node has 0.2.0"))])
    answered = list(pool_of(clock, Scripted(clock), late).run(batches(5000)))
    assert len(items(answered)) == 10_000 and not failures(answered)
    (only,) = told(caplog)
    assert "some-model could not be loaded:\nspeechzoo 0.1.0 is wanted, the node has 0.2.0" in only


def test_nothing_that_can_be_loaded_at_all_ends_the_run_at_once(clock: Clock) -> None:
    """Otherwise: a missing file is told after every worker has tried three times, or never."""
    workers = [Scripted(clock, [(1.0 + n, fault)]) for n, fault in enumerate([LOST, BROKEN])]
    until_it_ends(pool_of(clock, *workers).run(batches(5)), "could not be loaded: its node is gone")
    assert clock.now == 1.0


def test_the_last_of_several_ends_the_run(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """Otherwise: a run without workers waits, or ends as if all had been answered."""
    workers = [Scripted(clock, [(1.0, None), (1.0, BROKEN)], answers=lambda _: False) for _ in range(2)]
    assert until_it_ends(pool_of(clock, *workers).run(batches(4)), "no such device") == []
    assert len(told(caplog)) == 1


def test_a_model_that_hangs_while_it_loads_is_told(clock: Clock) -> None:
    """Otherwise: the run waits for ever in silence."""
    until_it_ends(
        pool_of(clock, Scripted(clock, [NEVER])).run(batches(1)),
        "no worker could be loaded for 3600 s. What is finished is safe; the same command goes on with it",
    )
    assert clock.now == PATIENCE


def test_patience_begins_when_the_last_loaded_worker_is_lost(clock: Clock) -> None:
    """Otherwise: two workers, room for one; hours later that one is lost, and the run ends at once."""
    loads = [(1.0, None), (500.0, None)]
    worker = Scripted(clock, loads, seconds=50.0, answers=lambda number: number != 50)
    waits = Scripted(clock, [NEVER])
    answered = list(pool_of(clock, worker, waits, patience=600.0).run(batches(60)))
    assert len(items(answered)) == 120 and not failures(answered)
    assert worker.started == 2 and clock.now > 3000.0


def test_patience_ends_although_worker_after_worker_crashes(clock: Clock) -> None:
    """Otherwise: workers that die one after the other while they load begin the time of waiting anew."""
    worker = Scripted(clock, [(1.0, None), (400.0, LOST)], answers=lambda _: False)
    waits = Scripted(clock, [NEVER])
    until_it_ends(pool_of(clock, worker, waits, patience=600.0).run(batches(3)), "loaded for 600 s")
    assert clock.now == 1.0 + 1.0 + 600.0


def test_a_long_wait_for_room_harms_nothing_while_others_work(clock: Clock) -> None:
    """Otherwise: a cluster with less room than was asked for ends the run that goes on in it."""
    busy, waits = Scripted(clock, seconds=59.0), Scripted(clock, [NEVER])
    answered = list(pool_of(clock, busy, waits, patience=10.0).run(batches(20)))
    assert len(items(answered)) == 40


def test_what_hangs_is_found_by_its_own_time_limit(clock: Clock) -> None:
    """Otherwise: a hanging item holds its card for ever."""
    answered = list(pool_of(clock, Scripted(clock, seconds=math.inf)).run(batches(1)))
    assert failures(answered) == {"0": "timed_out", "1": "timed_out"}
    # A batch of two, then each alone, and a second to load before each.
    assert clock.now == 3 * (1.0 + TIME_LIMIT)


def test_a_worker_that_hangs_while_it_loads_holds_up_no_other(clock: Clock) -> None:
    """Otherwise: the last item waits an hour for a card that hangs, beside a good one that is not tried."""
    good = Scripted(clock, answers=lambda number: number != 2)
    answered = list(pool_of(clock, good, Scripted(clock, [NEVER])).run([[work(0)], [work(1)]]))
    assert len(items(answered)) == 2 and not failures(answered)


def test_an_item_has_three_lives_whoever_asks_it(clock: Clock) -> None:
    """Otherwise: poison takes workers down for ever, or is set aside because of another's death."""

    deaths = 0

    class Poisoned(Scripted):
        def answers(self) -> list[ScoreAnswer]:
            nonlocal deaths
            if any("poison" in str(ask) for ask in self.asks):
                deaths += 1
                raise LOST
            return super().answers()

    answered = list(pool_of(clock, *[Poisoned(clock) for _ in range(3)]).run(batches(4, poison=3)))
    assert failures(answered) == {"3": "worker_died"}
    assert sorted(items(answered)) == list("01234567")
    assert deaths == 4  # once in its batch, three times alone


def test_what_was_answered_is_handed_back_before_the_end(clock: Clock) -> None:
    """Otherwise: answers that were paid for are lost with the machine."""

    class Lacking(Scripted):
        def answers(self) -> list[ScoreAnswer]:
            if self.taken == 2:
                raise SetupError("ffmpeg is missing")
            return super().answers()

    found = until_it_ends(pool_of(clock, Lacking(clock)).run(batches(3)), "^ffmpeg is missing")
    assert items(found) == ["0", "1"]


def test_no_more_workers_are_loaded_than_there_is_work_for(clock: Clock) -> None:
    """Otherwise: eight models are loaded for two batches."""
    workers = [Scripted(clock) for _ in range(8)]
    list(pool_of(clock, *workers).run(batches(2)))
    assert sum(worker.started for worker in workers) == 2
