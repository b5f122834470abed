"""The curve over training steps as tables in a terminal."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from speechzoo.gap.curve_findings import Curve, Line, Point
from speechzoo.gap.terms import Estimate
from speechzoo.gap.wording import interval, is_percentage, number, p_value
from speechzoo.report.tables import inert_text, plain_table, print_table

# As many as fit in eighty columns with their intervals, and without.
WITH_INTERVALS = 3
WITHOUT = 4


def print_curve(curve: Curve, console: Console) -> None:
    """Headline, values by step, and what differs."""
    console.print(inert_text(curve.title, "dim"))
    console.print(inert_text(curve.headline, "bold"))
    for warning in curve.warnings:
        console.print(inert_text(f"! {warning}", "yellow"))
    console.print()
    for line in curve.lines:
        names = [*line.stages, *(["drop"] if line.ends else [])]
        for chunk in _chunks(names, WITH_INTERVALS):
            print_table(console, _value_table(curve, line, chunk))
        # The pages of every subset would bury its values; curve.json and curve.html have them.
        metrics = line.items_by_metric if line.subset is None else ()
        others = [(metric, name) for metric in metrics for name in line.stages]
        having = [own for own in others if any(_other(point, *own) for point in line.points)]
        for pairs in _chunks(having, WITHOUT):
            print_table(console, _other_table(curve, line, pairs))
        # A stage without a valid item at one end is compared over other steps.
        for steps in dict.fromkeys((test.step, test.reference) for test in line.last_against_first):
            print_table(console, _test_table(curve, line, *steps))
        for name, best in line.best.items():
            console.print(inert_text(_against_best(line, name, best)))
        console.print()
    for note in curve.notes:
        console.print(inert_text(f"note: {note}", "dim"))


def name_of(line: Line) -> str:
    """``all items``, ``stories``; which scores, if they are not the usual ones."""
    name = "all items" if line.subset is None else line.subset
    return f"{name}, speech continuations" if line.speech_scored else name


def invalid_count(point: Point) -> int:
    return sum(sum(value.invalid.values()) for value in point.stages.values())


def _chunks(values: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [values[start : start + size] for start in range(0, len(values), size)]


def _value_table(curve: Curve, line: Line, names: Sequence[str]) -> Table:
    unit = ", %" if curve.percent else ""
    title = f"{curve.metric.name}{unit}, {name_of(line)}: over {line.items_used}"
    columns = [column for name in names for column in (name, "95 % interval")]
    table = plain_table(title, "step", *columns, "invalid", numbers=len(columns) + 2)
    for point in line.points:
        estimates = [_estimate(point, name) for name in names]
        cells = [
            cell
            for one in estimates
            for cell in (number(one.value if one else None, curve.percent), interval(one, curve.percent))
        ]
        table.add_row(*map(inert_text, (point.step, *cells, invalid_count(point))))
    return table


def _estimate(point: Point, name: str) -> Estimate | None:
    if name == "drop":
        return point.drop
    return next((value.estimate for stage, value in point.stages.items() if stage == name), None)


def _other(point: Point, metric: str, name: str) -> Estimate | None:
    return next((value.others.get(metric) for stage, value in point.stages.items() if stage == name), None)


def _other_table(curve: Curve, line: Line, pairs: Sequence[tuple[str, str]]) -> Table:
    percent = {metric.name: is_percentage(metric) for metric in curve.others}
    columns = [f"{metric}{', %' if percent[metric] else ''} {name}" for metric, name in pairs]
    table = plain_table(f"other metrics, {name_of(line)}", "step", *columns, numbers=len(columns) + 1)
    for point in line.points:
        found = [(metric, _other(point, metric, name)) for metric, name in pairs]
        cells = [number(one.value if one else None, percent[metric]) for metric, one in found]
        table.add_row(*map(inert_text, (point.step, *cells)))
    return table


def _test_table(curve: Curve, line: Line, last: int, first: int) -> Table:
    columns = ("better by", "95 % interval", "won", "lost", "p", "Holm p")
    table = plain_table(f"step {last} against step {first}", "", "finding", *columns, numbers=len(columns))
    for test in line.last_against_first:
        if (test.step, test.reference) != (last, first):
            continue
        cells = (
            test.what,
            test.verdict,
            number(test.lead.value, curve.percent, signed=True),
            interval(test.lead, curve.percent, signed=True),
            test.better,
            test.worse,
            p_value(test.p if test.p_flip is None else test.p_flip),
            p_value(test.p_holm),
        )
        table.add_row(*map(inert_text, cells), style="bold" if test.verdict in ("ahead", "behind") else "")
    return table


def _against_best(line: Line, name: str, best: int) -> str:
    tests = [test for test in line.against_best if test.what == name]
    behind = [str(test.step) for test in tests if test.verdict == "behind"]
    others = [str(test.step) for test in tests if test.verdict != "behind"]
    told = [f"behind it: {', '.join(behind)}"] if behind else []
    told += [f"not shown to be behind: {', '.join(others)}"] if others else []
    return f"{name}: best at step {best}" + "".join(f"; {words}" for words in told)
