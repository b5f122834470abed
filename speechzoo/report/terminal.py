"""The report and the comparison as tables in a terminal."""

import unicodedata

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from speechzoo.gap.findings import Breakdown, Comparison, ConditionTable, Report, Stage, Step
from speechzoo.gap.wording import interval, number, p_value

MOST_GROUPS = 12
_INERT = {"Cc", "Cf", "Zl", "Zp"}


def print_report(report: Report, console: Console) -> None:
    """Headline, stages, steps, breakdowns, checks, and the line that runs it again."""
    console.print(_text(report.title, "dim"))
    console.print(_text(report.headline, "bold"))
    for warning in report.warnings:
        console.print(_text(f"! {warning}", "yellow"))
    console.print()
    _print_table(console, _stage_table(report))
    if report.steps:
        _print_table(console, _step_table(report))
    for breakdown in report.breakdowns:
        _print_table(console, _breakdown_table(breakdown, report))
        if len(breakdown.groups) > MOST_GROUPS:
            console.print(
                _text(f"and {len(breakdown.groups) - MOST_GROUPS} more groups in report.html", "dim")
            )
    for line in _checks(report):
        console.print(line)
    for note in report.run.notes:
        console.print(_text(f"note: {note}", "dim"))
    console.print(_text(report.run.signature, "dim"), soft_wrap=True)


def print_comparison(comparison: Comparison, console: Console) -> None:
    """For each condition the models and the tests between them."""
    console.print(_text(f"{comparison.task}: {comparison.metric.name}{_unit(comparison.percent)}", "bold"))
    for warning in comparison.warnings:
        console.print(_text(f"! {warning}", "yellow"))
    console.print()
    for table in comparison.tables:
        _print_table(console, _model_table(table, comparison.percent))
        if table.pairs:
            _print_table(console, _pair_table(table, comparison.percent))
            for pair in table.pairs:
                console.print(_text(pair.verdict, "bold" if pair.clear else ""))
            console.print()
    for note in comparison.notes:
        console.print(_text(f"note: {note}", "dim"))
    for name, signature in comparison.signatures.items():
        console.print(_text(f"{name}: {signature}", "dim"), soft_wrap=True)


def inert(text: object) -> str:
    """One line without anything a terminal obeys: control, format and separator characters."""
    return "".join(" " if unicodedata.category(sign) in _INERT else sign for sign in str(text))


def _text(value: object, style: str = "") -> Text:
    # Text, not str: rich reads no markup in it.
    return Text(inert(value), style=style)


def _print_table(console: Console, table: Table) -> None:
    console.print(Padding(table, (0, 0, 1, 0)))


def _table(title: str, *columns: str, numbers: int) -> Table:
    """Left-aligned columns, then ``numbers`` right-aligned ones."""
    table = Table(
        title=_text(title, "bold"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        collapse_padding=True,
        pad_edge=False,
    )
    for place, column in enumerate(columns):
        right = place >= len(columns) - numbers
        table.add_column(_text(column), justify="right" if right else "left", no_wrap=right)
    return table


def _unit(percent: bool) -> str:
    return ", %" if percent else ""


def _stage_table(report: Report) -> Table:
    title = f"{report.metric.name}{_unit(report.percent)}, over {report.items_used} items"
    columns = ("", "stage", "value", "95 % interval", "valid", "ties", "cut", "heard WER")
    table = _table(title, *columns, numbers=6)
    for stage in report.stages:
        table.add_row(*map(_text, _stage_cells(stage, report.percent)))
    return table


def _stage_cells(stage: Stage, percent: bool) -> tuple[str, ...]:
    return (
        stage.name,
        stage.words,
        number(stage.estimate.value if stage.estimate else None, percent),
        interval(stage.estimate, percent),
        f"{stage.valid}/{stage.planned}",
        str(stage.ties),
        str(stage.truncated),
        number(stage.wer, percent=True),
    )


def _step_table(report: Report) -> Table:
    clustered = ("clustered",) if any(step.p_clustered is not None for step in report.steps) else ()
    columns = ("step", "finding", "lost", "gained", "exact p", *clustered, "kept")
    table = _table("steps", *columns, numbers=len(columns) - 2)
    for step in report.steps:
        kept = number(step.retention.value if step.retention else None, percent=True)
        tests = [p_value(p) for p in (step.p, step.p_clustered) if p is not None]
        cells = (_step_name(step), step.verdict, step.lost, step.gained, *tests, kept)
        style = ("red" if step.loss.value > 0 else "green") if step.clear else ""
        table.add_row(*map(_text, cells), style=style)
    return table


def _step_name(step: Step) -> str:
    return f"{step.name} ({step.first} - {step.second})"


def _breakdown_table(breakdown: Breakdown, report: Report) -> Table:
    stages = [stage.name for stage in report.stages if stage.estimate]
    table = _table(
        f"by {breakdown.name.replace('_', ' ')}",
        "",
        "n",
        *stages,
        "loss",
        "95 % interval",
        numbers=len(stages) + 3,
    )
    for group in breakdown.groups[:MOST_GROUPS]:
        values = [number(group.values.get(name), report.percent) for name in stages]
        loss = number(group.loss.value if group.loss else None, report.percent)
        cells = (group.label, group.items, *values, loss, interval(group.loss, report.percent))
        table.add_row(*map(_text, cells))
    return table


def _checks(report: Report) -> list[Text]:
    lines = []
    if report.hearing:
        style = "" if report.hearing.heard else "bold red" if report.hearing.heard is False else "yellow"
        lines.append(_text(f"did it hear?  {report.hearing.verdict}", style))
    if report.prior:
        ends = interval(report.prior.estimate, report.percent)
        lines.append(_text(f"prior:  {report.prior.verdict} ({ends})"))
    for stage in report.stages:
        if stage.metrics:
            others = ", ".join(
                f"{name} {number(value, percent=False)}" for name, value in stage.metrics.items()
            )
            lines.append(_text(f"{stage.name} also:  {others}"))
    for stage in report.stages:
        unsure = {**stage.invalid, **({"truncated": stage.truncated} if stage.truncated else {})}
        if unsure:
            reasons = ", ".join(f"{count} {reason}" for reason, count in unsure.items())
            lines.append(
                _text(f"not sure under {stage.name}:  {reasons}{_bounds(stage, report.percent)}", "yellow")
            )
    return lines


def _bounds(stage: Stage, percent: bool) -> str:
    if stage.bounds is None:
        return ""
    low, high = stage.bounds
    return f"; with these at worst and best {number(low, percent)} to {number(high, percent)}"


def _model_table(table: ConditionTable, percent: bool) -> Table:
    title = f"{table.condition}, over {table.items} items valid in all runs"
    shown = _table(title, "model", "value", "95 % interval", "valid", numbers=3)
    for entry in table.entries:
        value = number(entry.estimate.value, percent)
        ends = interval(entry.estimate, percent)
        shown.add_row(*map(_text, (entry.model, value, ends, f"{entry.valid}/{entry.planned}")))
    return shown


def _pair_table(table: ConditionTable, percent: bool) -> Table:
    clustered = ("clustered",) if any(pair.p_clustered is not None for pair in table.pairs) else ()
    tests = ("exact p", *clustered, "Holm p")
    columns = ("first against second", "lead", "95 % interval", "won", "lost", *tests)
    shown = _table("pairs", *columns, numbers=len(columns) - 1)
    for pair in table.pairs:
        cells = (
            f"{pair.first} against {pair.second}",
            number(pair.lead.value, percent, signed=True),
            interval(pair.lead, percent),
            pair.first_better,
            pair.second_better,
            *(p_value(p) for p in (pair.p, pair.p_clustered) if p is not None),
            p_value(pair.p_holm),
        )
        shown.add_row(*map(_text, cells))
    return shown
