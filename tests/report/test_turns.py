"""Turn by turn in the views: complete, in place, and inert whatever a task calls its values."""

import io
import json
import math
import re
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from rich.console import Console

from speechzoo.asks import DialogueAnswer, ReplyAnswer
from speechzoo.gap import Report, degradation
from speechzoo.report import html, json_file, plots
from speechzoo.report.terminal import print_report
from speechzoo.task import Grade
from tests.report.factory import SS, T0, TS, S, T, item, results, scored, talked

HOSTILE = "</title></script><img src=x onerror=alert(2)>\x1b[31m[bold]\u202e"


def report_of(name: str = "accuracy") -> Report:
    """Five stages at a benchmark's size, some turns failed; four dialogues go on to turn 3."""
    draws = np.random.default_rng(0)
    stages = []
    for stage in (T0, T, TS, S, SS):
        turns = {
            f"d{place:03d}": [
                "no_speech" if draws.random() < 0.2 else float(draws.random())
                for _ in range(3 if place < 4 else 2)
            ]
            for place in range(270)
        }
        stages.append(talked(stage, turns, name))
    return degradation(results([item(f"d{place:03d}") for place in range(270)], *stages))


@pytest.fixture(scope="module")
def report() -> Report:
    return report_of()


def printed(report: Report) -> str:
    out = io.StringIO()
    print_report(report, Console(file=out, width=80))
    return out.getvalue()


def test_the_terminal_has_every_turn_with_every_digit(report: Report) -> None:
    """Otherwise: a number loses its interval, or what it is over, where people copy it from."""
    text = printed(report)
    assert max(len(line) for line in text.splitlines() if line != report.run.signature) <= 80
    assert "…" not in text
    words = " ".join(text.split())
    (finding,) = report.by_turn
    for trend in finding.trends:
        for turn in trend.turns:
            assert turn.estimate is not None
            assert f"{100 * turn.estimate.value:.1f}" in words
            assert (
                f"n = {turn.items}{', few' if turn.few else ''}, {sum(turn.invalid.values())} without"
                in words
            )
        assert trend.change is not None and f"{trend.stage}, turn 1 to 2, n =" in words
        assert trend.change.verdict in words
    for gap in finding.gaps:
        assert f"{gap.second} - {gap.first}" in words
    for note in finding.notes:
        assert f"by turn: {note}" in words


def test_the_terminal_tells_why_turns_are_without_a_value_and_what_was_cut() -> None:
    """Otherwise: whoever has no page at hand takes a limit or a failing voice for the model's ability."""
    made = talked(SS, {"a": [1.0, "no_speech"], "b": ["timeout", 1.0], "c": [1.0, 1.0]})
    key = next(key for key in made if key.item == "c")
    cut = DialogueAnswer((ReplyAnswer("Yes."), ReplyAnswer("Yes, and", truncated=True)))
    made[key] = replace(made[key], answer=cut)
    words = " ".join(printed(degradation(results([item(name) for name in "abc"], made))).split())
    assert "not sure under SS: turn 1: 1 timeout; turn 2: 1 no_speech, 1 truncated" in words
    whole = printed(degradation(results([item("a")], talked(SS, {"a": [1.0, 1.0]}))))
    assert "not sure" not in whole


def test_the_page_has_a_drawing_and_a_table_of_each_value(report: Report) -> None:
    """Otherwise: the trend that report.json holds is not seen."""
    page = html.render(report, Path("nowhere"))
    section = page[page.index('id="turns-title"') : page.index('id="items-title"')]
    (finding,) = report.by_turn
    assert section.count("<circle") == sum(len(trend.turns) for trend in finding.trends)
    for trend in finding.trends:
        assert f'class="on-{trend.stage}"' in section
        for turn in trend.turns:
            assert turn.estimate is not None
            assert f"<strong>{100 * turn.estimate.value:.1f}</strong>" in section
            for reason, count in turn.invalid.items():
                assert f"{count} <code>{reason}</code>" in section
        assert trend.change is not None and trend.change.verdict in section
    assert (
        section.count('class="few"') == sum(turn.few for trend in finding.trends for turn in trend.turns) > 0
    )


def test_whiskers_end_where_the_intervals_do(report: Report) -> None:
    """Otherwise: a drawing shows a certainty that the numbers do not have."""
    (plot,) = plots.turn_plots(report)
    by_label = {float(tick.label) / 100: tick.at for tick in plot.up}
    (low, bottom), (high, top) = min(by_label.items()), max(by_label.items())
    seen = set()
    for line, trend in zip(plot.lines, plot.finding.trends, strict=True):
        for mark, turn in zip(line.marks, trend.turns, strict=True):
            assert turn.estimate is not None and turn.estimate.low is not None
            x, start, end = map(float, re.findall(r"[\d.]+", mark.whisker))
            for at, value in (
                (start, turn.estimate.low),
                (end, turn.estimate.high),
                (mark.y, turn.estimate.value),
            ):
                assert value is not None
                assert at == pytest.approx(bottom + (value - low) / (high - low) * (top - bottom), abs=0.2)
            assert x == mark.x
            seen.add(x)
    assert len(seen) == 15, "no stage hides another"


def test_a_task_names_its_values_in_text_only() -> None:
    """Otherwise: a plugin's or data set's word for a value runs as code in the reader's browser."""
    report = report_of(HOSTILE)
    page = html.render(report, Path("nowhere"))
    assert "<img" not in page and "&lt;img src=x" in page
    assert page.count("</script>") == 3 and "</title></script>" not in page
    text = printed(report)
    assert not {"\x1b", "\u202e"} & set(text) and "[bold]" in text


def test_a_report_without_turns_has_no_chapter_of_them() -> None:
    """Otherwise: every report of single questions has an empty chapter."""
    report = degradation(results([item("a")], scored(T, {"a": 1.0})))
    assert "Turn by turn" not in html.render(report, Path("nowhere"))
    assert "by turn" not in printed(report)


def test_turns_are_in_the_json_and_older_reports_can_be_read(report: Report) -> None:
    """Otherwise: a program that draws its own trend has nothing to draw, or none of last year's."""
    written = json.loads(json_file.render(report))
    jsonschema.validate(written, json.loads(json_file.schema()))
    assert json_file.read(json.dumps(written)) == report
    assert written["by_turn"][0]["trends"][0]["turns"][1]["turn"] == 2
    del written["by_turn"]
    assert json_file.read(json.dumps(written)).by_turn == ()


def test_a_value_that_is_never_a_number_is_not_drawn() -> None:
    """Otherwise: a run whose task computed one value wrongly has neither page nor terminal report."""
    made = talked(T, {"a": [1.0, 0.0]})
    for key, own in made.items():
        told = [{"accuracy": 1.0, "pitch": math.nan}, {"accuracy": 0.0}]
        made[key] = replace(own, outcome=Grade({"accuracy": 1.0}, by_turn=told))
    report = degradation(results([item("a")], made))
    assert "pitch" not in html.render(report, Path("nowhere")) and "pitch" not in printed(report)


def test_one_dialogue_is_drawn_too() -> None:
    """Otherwise: the smallest run, the first that anybody makes, has no page."""
    report = degradation(
        results([item("a")], talked(T, {"a": [0.0, 0.0]}), talked(S, {"a": [0.0, "crashed"]}))
    )
    page = html.render(report, Path("nowhere"))
    assert "nan" not in page[page.index('id="turns-title"') : page.index('id="items-title"')].lower()
    assert "too few dialogues to tell: level" in printed(report)
