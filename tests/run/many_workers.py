"""What the tests of executors share: batches for them, runs through them, and what came of it."""

from collections import Counter
from pathlib import Path
from typing import Any

from speechzoo import Condition, Failure, ScoreAsk, raw
from speechzoo.catalogue import open_catalogue
from speechzoo.gap import degradation
from speechzoo.run.evaluate import MakeExecutor, evaluate
from speechzoo.run.executors import Answered
from speechzoo.run.plan import Work
from speechzoo.run.progress import Silent
from speechzoo.run.records import AnswerRecord, Key
from speechzoo.run.request import Request
from speechzoo.run.results import read_results
from speechzoo.run.store import read_lines


def batches(count: int, poison: int = -1) -> list[list[Work]]:
    """So many batches of two items each, one of which may be poison."""
    works = [work(n, " poison" * (n == poison)) for n in range(2 * count)]
    return [works[2 * n : 2 * n + 2] for n in range(count)]


def work(number: int, more: str = "") -> Work:
    text = f"number {number}{more}"
    key = Key(role="model", item=str(number), condition=Condition.T2T)
    return Work(key, ScoreAsk(raw(text), (" a",)), text, text, 1)


def items(answered: list[Answered]) -> list[str]:
    return [one.key.item for done in answered for one, _ in done]


def failures(answered: list[Answered]) -> dict[str, str]:
    return {w.key.item: a.reason for done in answered for w, a in done if isinstance(a, Failure)}


def run(
    folder: Path, make: MakeExecutor, delay: float, count: int = 300
) -> tuple[dict[str, Any], dict[Key, Any]]:
    """A run's report, without when it was made, and its answers, each of which is there once."""
    catalogue = open_catalogue()
    request = Request(
        systems={"model": catalogue.model("instrument", {"delay": str(delay)})},
        task=catalogue.task("arithmetic", {"count": str(count)}),
        conditions=(Condition.T2T, Condition.S2T),
        out=folder,
        batch_tokens=60,
    )
    evaluate(request, catalogue.plugins, Silent(), make)
    report = degradation(read_results(folder)).model_dump(mode="json")
    del report["run"]["created"]
    records = list(read_lines(folder / "answers.jsonl", AnswerRecord))
    assert len(records) == len({record.key for record in records})
    return report, {record.key: record.answer for record in records}


class Spare:
    """Spares an item that was killed twice on its own: a third time would set it aside."""

    def __init__(self) -> None:
        self._alone: Counter[Key] = Counter()

    def may_die(self, batch: list[Work]) -> bool:
        if len(batch) > 1:
            return True
        self._alone.update(one.key for one in batch)
        return all(self._alone[one.key] <= 2 for one in batch)
