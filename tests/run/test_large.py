"""A run of many items keeps little in memory: whatever is made or read again is what it was."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from speechzoo import Condition, Item, ScoreAsk, raw
from speechzoo.catalogue import open_catalogue
from speechzoo.errors import SpeechzooError
from speechzoo.gap import degradation, items
from speechzoo.gap.findings import Report
from speechzoo.run import plan
from speechzoo.run.evaluate import evaluate
from speechzoo.run.executors import Answered
from speechzoo.run.plan import Work, ask_all, make_plan
from speechzoo.run.progress import Silent
from speechzoo.run.results import read_results
from speechzoo.task import Metric
from tests.report import factory
from tests.run.in_process import InProcess
from tests.run.test_request import Interrupted, request_of


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of four items is large, and keeps two of anything."""
    monkeypatch.setattr(plan, "LARGE", 3)
    monkeypatch.setattr(plan, "KEPT_OF_LARGE", 2)


def report_of(folder: Path) -> Report:
    return degradation(read_results(folder))


def untimed(report: Report) -> dict[str, object]:
    told = report.model_dump(mode="json", exclude={"run": {"created"}, "stages": {"__all__": {"seconds"}}})
    return dict(told)


def test_a_large_run_ends_with_the_report_of_a_small_one(
    instrument: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise: what is asked, answered or graded depends on what there was room for in memory."""
    conditions = (Condition.T2T, Condition.S2T, Condition.S2S)
    usual = request_of(tmp_path / "usual", conditions=conditions, batch_tokens=200)
    large = request_of(tmp_path / "large", conditions=conditions, batch_tokens=200)
    plugins = open_catalogue().plugins
    evaluate(usual, plugins, Silent(), InProcess)
    expected = report_of(tmp_path / "usual")
    monkeypatch.setattr(plan, "LARGE", 3)
    monkeypatch.setattr(plan, "KEPT_OF_LARGE", 2)
    with pytest.raises(KeyboardInterrupt):
        evaluate(large, plugins, Silent(), Interrupted)
    evaluate(large, plugins, Silent(), InProcess)
    assert expected.steps and untimed(report_of(tmp_path / "large")) == untimed(expected)
    files = [(tmp_path / name / "items.jsonl").read_text() for name in ("usual", "large")]
    assert files[0].replace("/usual/", "/large/") == files[1]


class Wavering:
    """A task that asks something else every time."""

    version = "1"
    conditions = (Condition.T2T,)
    metrics = (Metric("accuracy"),)

    def __init__(self) -> None:
        self._asked = 0

    def items(self) -> list[Item]:
        return [Item(f"i{n}", {}) for n in range(6)]

    def ask(self, item: Item, condition: Condition) -> ScoreAsk:
        self._asked += 1
        return ScoreAsk(raw(f"{item.id}, question {self._asked}"), (" a",))

    def grade(self, item: Item, condition: Condition, answer: object) -> object:
        raise AssertionError("nothing is graded")


def test_a_task_that_asks_otherwise_the_second_time_is_refused(few: None) -> None:
    """Otherwise: an answer is filed under an ask that nobody has put."""
    task = Wavering()
    told = task.items()
    works = make_plan(ask_all(task, told, task.conditions), told, {"model": task.conditions}, 0, []).works
    with pytest.raises(SpeechzooError, match=r"item 'i0' under t2t.*draw with a seed"):
        _ = works[0].ask


def test_an_item_that_asks_the_same_under_two_conditions_is_asked_once(
    instrument: dict[str, str], tmp_path: Path, few: None
) -> None:
    """Otherwise: the endings of every item are scored without context once a condition, for nothing."""
    asked: list[Work] = []

    class Counting(InProcess):
        def run(self, batches: Iterable[list[Work]]) -> Iterator[Answered]:
            every = list(batches)
            asked.extend(work for batch in every for work in batch)
            return super().run(every)

    conditions = (Condition.T2T, Condition.S2T)
    evaluate(
        request_of(tmp_path / "run", conditions=conditions), open_catalogue().plugins, Silent(), Counting
    )
    priors = [work for work in asked if work.key.variant == "prior"]
    answered = [key for key in read_results(tmp_path / "run").results if key.variant == "prior"]
    assert len(priors) == 12 and len(answered) == 24


def test_a_report_of_very_many_items_lists_those_that_say_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise: a report of a million items is a file that nothing opens, or it hides what was lost."""
    names = [f"i{n}" for n in range(9)]
    told = [factory.item(name) for name in names]
    text = factory.scored(("model", Condition.T2T), dict.fromkeys(names, 1.0))
    speech = dict.fromkeys(names, 1.0) | {"i3": "too_long", "i5": -1.0, "i8": -1.0}
    results = factory.results(told, text, factory.scored(("model", Condition.S2T), speech))
    whole = degradation(results)
    monkeypatch.setattr(items, "MOST_ROWS", 3)
    report = degradation(results)
    assert [row.id for row in report.items] == ["i3", "i5", "i8"]
    assert any("Of 9 items 3 are listed" in note for note in report.notes)
    assert not any("are listed" in note for note in whole.notes) and len(whole.items) == 9
    assert report.steps == whole.steps and report.warnings == whole.warnings
