"""Runs of the players and arenas among them, made in this process."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speechzoo import Condition
from speechzoo.catalogue import open_catalogue
from speechzoo.loading import Component, load
from speechzoo.run.evaluate import evaluate
from speechzoo.run.execute import answer_batch
from speechzoo.run.executors import Answered
from speechzoo.run.plan import Work
from speechzoo.run.progress import Silent
from speechzoo.run.request import Request
from speechzoo.run.store import read_lines

from speechzoo_arena.arena_findings import ArenaReport, Board
from speechzoo_arena.arena_report import arena_report
from speechzoo_arena.assemble import Wanted, play_contest
from speechzoo_arena.contest import read_contest
from speechzoo_arena.records import FILE, Vote

NAMES = ("short", "middle", "long")


@dataclass(frozen=True)
class Here:
    """Answers asks in this process: a worker of its own would take longer than all of a test."""

    model: Any

    def run(self, batches: Iterable[list[Work]]) -> Iterator[Answered]:
        for batch in batches:
            yield list(zip(batch, answer_batch(self.model, [work.ask for work in batch]), strict=True))

    def close(self) -> None:
        pass


def run_of(
    model: str,
    out: Path,
    task: str = "chats",
    of_task: dict[str, Any] | None = None,
    conditions: Sequence[str] = ("s2s", "s2t"),
    **settings: Any,
) -> Path:
    """A finished run of a player."""
    catalogue = open_catalogue()
    request = Request(
        systems={"model": catalogue.model(model, settings)},
        task=catalogue.task(task, of_task or {}),
        conditions=tuple(map(Condition, conditions)),
        out=out,
    )

    def executor(component: Component, _: Request) -> Here:
        return Here(load(component))

    return evaluate(request, catalogue.plugins, Silent(), executor=executor)


def arena_of(
    runs: Sequence[Path], out: Path, judge: str, condition: str | None = None, **wanted: Any
) -> Path:
    """An arena that has been played."""
    contest = read_contest(runs, Condition(condition) if condition else None)
    return play_contest(contest, Wanted(judge=judge, out=out, **wanted), open_catalogue(), Silent())


def report_of(runs: Sequence[Path], out: Path, judge: str, **wanted: Any) -> ArenaReport:
    return arena_report(arena_of(runs, out, judge, **wanted))


def votes_in(folder: Path) -> list[Vote]:
    return list(read_lines(folder / FILE, Vote))


def pooled(report: ArenaReport, rater: str) -> Board:
    return next(own for own in report.boards if own.rater == rater and not own.group)
