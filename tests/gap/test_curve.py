"""Accuracy over a training's steps: tests by pairs, weights, and what is told of broken checkpoints."""

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from speechzoo.asks import Failure
from speechzoo.errors import SetupError, SpeechzooError
from speechzoo.gap import degradation
from speechzoo.gap.curve import curve
from speechzoo.report.curve import render
from speechzoo.report.curve_tables import print_curve
from speechzoo.run.records import Key, Result, Results
from tests.report.factory import S, T, item, results, scored, valued


def run(step: int, seed: int = 0, right: tuple[int, int] | None = None, cluster: int = 1) -> Results:
    """Forty items; ``right`` of them under text and speech, or a third drawn by the seed."""
    names = [f"i{place}" for place in range(40)]
    own = [item(name, cluster=f"c{place // cluster}") for place, name in enumerate(names)]
    made = {}
    for stage, known in zip((T, S), right or (25, 15), strict=True):
        order = names if right else names[seed * 3 :] + names[: seed * 3]
        margins: dict[str, float | str] = {name: 1.0 if p < known else -1.0 for p, name in enumerate(order)}
        made |= scored(stage, margins)
    return results(own, made, folder=Path(f"step-{step}"))


def test_a_run_with_all_items_valid_has_the_numbers_of_its_own_report() -> None:
    """Otherwise: the curve and the report of the same run contradict each other."""
    runs = {step: run(step, seed=step) for step in (1, 2, 5)}
    (line,) = curve(runs, {}, "a model on a task").lines
    for point in line.points:
        report = degradation(runs[point.step])
        for stage in report.stages:
            assert point.stages[stage.name].estimate == stage.estimate
        main = report.steps[report.main or 0]
        assert point.drop is not None and point.drop.value == pytest.approx(main.loss.value)
        assert point.drop.low == pytest.approx(main.loss.low, abs=0.02)
        assert point.drop.high == pytest.approx(main.loss.high, abs=0.02)


def test_first_and_last_checkpoint_are_compared_by_pairs() -> None:
    """Otherwise: a reader takes two overlapping bands for no difference, or noise for progress."""
    runs = {1: run(1, right=(20, 10)), 2: run(2, right=(36, 9)), 3: run(3, right=(38, 11))}
    (line,) = curve(runs, {}, "t").lines
    tests = {test.what: test for test in line.last_against_first}
    assert (tests["T"].step, tests["T"].reference, tests["T"].better, tests["T"].worse) == (3, 1, 18, 0)
    assert tests["T"].verdict == "ahead" and tests["T"].lead.value == pytest.approx(18 / 40)
    assert tests["S"].verdict == "no difference shown" and tests["S"].lead.value == pytest.approx(1 / 40)
    # 10 items were lost to speech at first, 27 at last: the drop has grown.
    assert tests["drop"].lead.value == pytest.approx(-17 / 40) and tests["drop"].verdict == "behind"
    assert (tests["drop"].better, tests["drop"].worse) == (1, 18)
    assert tests["T"].p_holm > tests["T"].p


def test_the_best_checkpoint_is_held_against_all_others_as_one_family() -> None:
    """Otherwise: of many checkpoints one is called best by luck."""
    runs = {step: run(step, right=(right, 5)) for step, right in ((1, 10), (2, 34), (3, 39), (4, 39))}
    line = curve(runs, {}, "t").lines[0]
    assert line.best == {"T": 3, "S": 1}
    verdicts = {test.step: test.verdict for test in line.against_best if test.what == "T"}
    assert verdicts == {1: "behind", 2: "not settled", 4: "no difference shown"}
    whole = sorted(line.against_best, key=lambda test: test.p)
    assert whole[0].p_holm == pytest.approx(min(1.0, whole[0].p * len(whole)))


def test_items_that_share_material_are_tested_by_cluster() -> None:
    """Otherwise: twins count as independent evidence for the drop, too."""
    runs = {1: run(1, right=(20, 10), cluster=2), 2: run(2, right=(38, 11), cluster=2)}
    line = curve(runs, {}, "t").lines[0]
    assert all(test.p_flip is not None for test in line.last_against_first)
    assert "sign-flip p" in curve(runs, {}, "t").notes[0]


def test_checkpoints_are_tested_on_what_their_items_weigh() -> None:
    """Otherwise: many light items call a checkpoint better that is worse."""
    runs = {}
    for step, first in ((1, 1.0), (2, 0.0)):
        made: dict[Key, Result] = {}
        for place in range(60):
            value = first if place < 5 else 1 - first if place < 20 else 1.0
            made |= valued(T, {f"i{place}": value}, weight=30.0 if place < 5 else 1.0)
        runs[step] = results([item(f"i{place}") for place in range(60)], made)
    found = curve(runs, {}, "t")
    (test,) = found.lines[0].last_against_first
    assert test.p < 0.05 < test.p_holm == test.p_flip
    assert test.verdict == "not settled"
    assert "sign-flip p" in found.notes[0]


def test_a_table_names_the_checkpoints_that_it_compares() -> None:
    """Otherwise: a stage that failed at the last checkpoint is said to be compared there."""
    failed = run(3)
    deaf = {
        key: replace(one, outcome=Failure("deaf", ""))
        for key, one in failed.results.items()
        if key.condition == "s2t"
    }
    runs = {
        1: run(1, right=(20, 10)),
        2: run(2, right=(36, 9)),
        3: replace(failed, results={**failed.results, **deaf}),
    }
    out = io.StringIO()
    print_curve(curve(runs, {}, "t"), Console(file=out, width=80))
    whole, _, rest = out.getvalue().partition("step 3 against step 1")
    assert whole and rest
    of_text, _, of_speech = rest.partition("step 2 against step 1")
    rows = [
        [line.split()[0] for line in part.splitlines() if line[:2] in ("T ", "S ", "dr")]
        for part in (of_text, of_speech)
    ]
    assert rows == [["T"], ["S", "drop"]]


def test_the_drop_is_weighted_as_the_stages_are() -> None:
    """Otherwise: T minus S is not the drop that stands beside them."""
    runs = {}
    for step in (1, 2):
        made: dict[Key, Result] = {}
        for stage, known in ((T, 5 + 3 * step), (S, 4)):
            for place in range(12):
                made |= valued(stage, {f"i{place}": float(place < known)}, weight=1.0 + place % 3)
        runs[step] = results([item(f"i{place}") for place in range(12)], made)
    line = curve(runs, {}, "t").lines[0]
    (drop,) = [test for test in line.last_against_first if test.what == "drop"]
    values = [[point.stages[name].estimate.value for name in ("T", "S")] for point in line.points]
    drops = [text - speech for text, speech in values]
    assert [point.drop.value for point in line.points if point.drop] == pytest.approx(drops)
    assert drop.lead.value == pytest.approx(drops[0] - drops[1])


def test_runs_of_other_data_are_refused() -> None:
    """Otherwise: a curve goes on over another version of the task."""
    other = run(2)
    task = other.run.task.model_copy(update={"version": "2"})
    changed = Results(other.folder, other.run.model_copy(update={"task": task}), other.items, other.results)
    with pytest.raises(SpeechzooError, match="version"):
        curve({1: run(1), 2: changed}, {}, "t")


def test_no_checkpoint_at_all_is_an_error_with_every_reason() -> None:
    """Otherwise: an empty page looks like a result."""
    with pytest.raises(SetupError, match=r"step 1: no file(.|\n)*step 2: no room"):
        curve({}, {1: "no file", 2: "no room"}, "t")


def test_a_traceback_is_told_by_its_ends() -> None:
    """Otherwise: thirty lines of one broken checkpoint stand between a reader and the curve."""
    told = "c could not be loaded:\nTraceback (most recent call last):\n  File 'x'\nOSError: no weights\n"
    (missing,) = curve({1: run(1)}, {2: told}, "t").missing
    assert missing.reason == "c could not be loaded: OSError: no weights"


def test_what_a_broken_checkpoint_says_is_shown_and_not_run() -> None:
    """Otherwise: the page runs what a checkpoint's error message holds."""
    hostile = '</style><script>alert(1)</script><img src=x onerror="alert(2)">'
    shown = render(curve({1: run(1), 2: run(2)}, {3: hostile}, hostile))
    assert "<script" not in shown and "<img" not in shown


@pytest.mark.parametrize("count", [1, 2, 200])
def test_the_drawing_fits_any_number_of_checkpoints(count: int) -> None:
    """Otherwise: a short or a long training has no picture."""
    names = [f"i{place}" for place in range(6)]
    margins = {name: float(place % 2) - 0.5 for place, name in enumerate(names)}
    one = results([item(name) for name in names], scored(T, margins), scored(S, margins))
    page = render(curve({10 * step: one for step in range(count)}, {}, "t"))
    across = [float(x) for x in re.findall(r'class="mark" cx="([\d.]+)"', page)]
    up = [float(y) for y in re.findall(r'class="mark" cx="[\d.]+" cy="([\d.]+)"', page)]
    assert (
        len(across) == 3 * count and all(56 <= x <= 884 for x in across) and all(12 <= y <= 252 for y in up)
    )
    assert 2 <= len(re.findall(r'text-anchor="middle">[\d,]+<', page)) // 2 <= 9
    assert "NaN" not in page and "nan" not in page
