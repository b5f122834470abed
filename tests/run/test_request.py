"""A run called from a program: its notes, and an executor of one's own."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from speechzoo import Capability, Condition, Failure, Item, SpeechzooError, TaskSpec
from speechzoo.catalogue import open_catalogue
from speechzoo.loading import Component
from speechzoo.registry import DataEntry
from speechzoo.run.evaluate import count_notes, evaluate
from speechzoo.run.executors import Answered
from speechzoo.run.plan import Work
from speechzoo.run.progress import Silent
from speechzoo.run.request import Request
from speechzoo.run.results import read_results
from tests.run.in_process import InProcess


class Interrupted(InProcess):
    """Gives up after the first batch."""

    def run(self, batches: Iterable[list[Work]]) -> Iterator[Answered]:
        yield next(super().run(batches))
        raise KeyboardInterrupt


def request_of(folder: Path, *, settings: dict[str, str] | None = None, **options: Any) -> Request:
    catalogue = open_catalogue()
    return Request(
        systems={"model": catalogue.model("instrument")},
        task=catalogue.task("arithmetic", {"count": "12", **(settings or {})}),
        out=folder,
        **options,
    )


def test_an_executor_of_ones_own_answers_every_system(instrument: dict[str, str], tmp_path: Path) -> None:
    """Otherwise: a cluster cannot be plugged in, or some asks go past it and nobody closes it."""
    request = request_of(tmp_path / "run", batch_tokens=40)
    plugins = open_catalogue().plugins
    InProcess.made.clear()
    with pytest.raises(KeyboardInterrupt):
        evaluate(request, plugins, Silent(), Interrupted)
    first = sum(not isinstance(r.answer, Failure) for r in read_results(tmp_path / "run").results.values())
    evaluate(request, plugins, Silent(), InProcess)
    evaluate(request_of(tmp_path / "local"), plugins, Silent())
    assert [made.closed for made in InProcess.made] == [True, True]
    own, local = (read_results(tmp_path / name).results for name in ("run", "local"))
    assert 0 < first < len(own)
    assert {key: (r.answer, r.outcome) for key, r in own.items() if key.condition != Condition.S2S} == {
        key: (r.answer, r.outcome) for key, r in local.items() if key.condition != Condition.S2S
    }
    assert own.keys() == local.keys()


def test_a_task_s_notes_reach_the_run(instrument: dict[str, str], tmp_path: Path) -> None:
    """Otherwise: what one must know of the data before believing a number is not in the report."""
    remark = "three recordings are of another text"
    evaluate(
        request_of(tmp_path / "run", settings={"note": remark}), open_catalogue().plugins, Silent(), InProcess
    )
    assert remark in json.loads((tmp_path / "run" / "run.json").read_text())["notes"]


@pytest.mark.parametrize("able", [True, False])
def test_a_base_that_scores_under_text_has_a_prior(
    instrument: dict[str, str], tmp_path: Path, able: bool
) -> None:
    """Otherwise: what is lost by unconditional scores is empty, or a system is asked what it cannot do."""
    whole = request_of(tmp_path / "run", conditions=(Condition.T2T, Condition.S2T))
    model = whole.systems["model"]
    ears_only = replace(model.spec, capabilities=frozenset(Capability) - {Capability.SCORE_UNDER_TEXT})
    rival = model if able else replace(model, spec=ears_only)
    request = replace(whole, systems={"model": model, "base": model, "rival": rival})
    if not able:
        with pytest.raises(SpeechzooError, match="t2t cannot be asked"):
            evaluate(request, open_catalogue().plugins, Silent(), InProcess)
        request = replace(request, conditions=(Condition.S2T,))
    evaluate(request, open_catalogue().plugins, Silent(), InProcess)
    results = read_results(tmp_path / "run").results.values()
    priors = {(r.key.role, str(r.key.condition)) for r in results if r.key.variant == "prior"}
    everyone = {("model", "t2t"), ("model", "s2t"), ("base", "t2t"), ("rival", "t2t"), ("rival", "s2t")}
    assert priors == (everyone if able else {("model", "s2t")})


def data(**expected: int | tuple[int, ...]) -> Component:
    entry = DataEntry(summary="", licence="", citation="", expected=expected)
    spec = TaskSpec("mine", "module:Class", "", subsets=("stories", "choices"))
    return Component("task", "mine", spec, "package 1", {"subset": ""}, entry=entry)


ITEMS = [Item(f"s{n}", {}, {"subset": "stories"}) for n in range(3)] + [
    Item(f"c{n}", {}, {"subset": "choices"}) for n in range(2)
]


def test_numbers_of_items_are_held_against_the_registry() -> None:
    """Otherwise: half a data set passes for the whole, and its score for the published one."""
    assert count_notes(data(items=5, stories=3, choices=(2, 4)), ITEMS) == []
    told = count_notes(data(items=6, stories=3, choices=(4, 6)), ITEMS)
    assert told == [
        "5 items, the registry expects 6",
        "2 items of choices, the registry expects 4 or 6",
    ]
    assert count_notes(data(items=6), ITEMS, limit=5) == []


def test_a_subset_is_held_against_its_own_number() -> None:
    """Otherwise: a run of one subset is told that the other is missing, or its own gap is not seen."""
    component = data(items=5, stories=4, choices=2)
    component.parameters["subset"] = "stories"  # type: ignore[index]
    assert count_notes(component, ITEMS[:3]) == ["3 items of stories, the registry expects 4"]
    component.parameters["subset"] = "choices"  # type: ignore[index]
    assert count_notes(component, ITEMS[3:]) == []


def test_what_an_item_asks_twice_is_answered_once(instrument: dict[str, str], tmp_path: Path) -> None:
    """Otherwise every ending would be scored without its context once for each condition."""
    asked: list[str] = []

    class Counting(InProcess):
        def run(self, batches: Iterable[list[Work]]) -> Iterator[Answered]:
            for batch in batches:
                asked.extend(f"{work.key.item}/{work.digest}" for work in batch)
                yield from super().run([batch])

    request = request_of(tmp_path / "run", conditions=(Condition.T2T, Condition.S2T))
    evaluate(request, open_catalogue().plugins, Silent(), Counting)
    assert len(asked) == len(set(asked))
    results = read_results(tmp_path / "run").results
    priors = {key: result.answer for key, result in results.items() if key.variant == "prior"}
    assert {key.condition for key in priors} == {Condition.T2T, Condition.S2T}
    assert len(priors) == 24
    for key, answer in priors.items():
        assert answer == priors[replace(key, condition=Condition.T2T)]
