"""The report and the comparison as tables in a terminal."""

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from speechzoo.gap.comparison_findings import Comparison, ConditionTable
from speechzoo.gap.findings import Breakdown, Group, PublishedTable, Report, Stage, Step
from speechzoo.gap.terms import Estimate
from speechzoo.gap.turn_findings import PairedDifference, TurnFinding, TurnMean, TurnTrend
from speechzoo.gap.wording import interval, number, p_value
from speechzoo.report.invariance import print_invariance
from speechzoo.report.tables import inert_text, plain_table, print_table

MOST_GROUPS = 12
MOST_STAGES = 5
MOST_SIDE_BY_SIDE = 3


def print_report(report: Report, console: Console) -> None:
    """Headline, stages, steps, breakdowns, checks, and the line that runs it again."""
    console.print(inert_text(report.title, "dim"))
    console.print(inert_text(report.headline, "bold"))
    for warning in report.warnings:
        console.print(inert_text(f"! {warning}", "yellow"))
    console.print()
    print_table(console, _stage_table(report))
    if report.steps:
        print_table(console, _step_table(report))
        for step in report.steps:
            if step.smallest_loss is not None:
                console.print(inert_text(f"{step.first} - {step.second}: {_power(step)}", "dim"))
        console.print()
    if len({row.metric.name for row in report.metrics}) > 1:
        for name in dict.fromkeys(row.step for row in report.metrics):
            print_table(console, _metric_table(name, report))
    for finding in report.by_turn:
        _print_turns(finding, console)
    for note in dict.fromkeys(note for finding in report.by_turn for note in finding.notes):
        console.print(inert_text(f"by turn: {note}", "dim"))
    if report.by_turn:
        console.print()
    for table in report.published:
        print_table(console, _published_table(table))
    for place, breakdown in enumerate(report.breakdowns):
        whole = place == 0 and breakdown.name == "subset"
        print_table(console, (_subset_table if whole else _breakdown_table)(breakdown, report))
        if not whole and len(breakdown.groups) > MOST_GROUPS:
            console.print(
                inert_text(f"and {len(breakdown.groups) - MOST_GROUPS} more groups in report.html", "dim")
            )
        _print_powers(breakdown, console)
    if report.breakdowns and report.main is not None:
        console.print(inert_text("p values of groups are not adjusted for the number of groups", "dim"))
    for line in _checks(report):
        console.print(line)
    if report.invariance:
        console.print()
        print_invariance(report.invariance, console)
    for note in (*report.notes, *report.run.notes):
        console.print(inert_text(f"note: {note}", "dim"))
    console.print(inert_text(report.run.signature, "dim"), soft_wrap=True)


def print_comparison(comparison: Comparison, console: Console) -> None:
    """For each condition the models and the tests between them."""
    console.print(
        inert_text(f"{comparison.task}: {comparison.metric.name}{_unit(comparison.percent)}", "bold")
    )
    for warning in comparison.warnings:
        console.print(inert_text(f"! {warning}", "yellow"))
    console.print()
    for table in comparison.tables:
        print_table(console, _model_table(table, comparison.percent))
        if table.pairs:
            print_table(console, _pair_table(table, comparison.percent))
            for pair in table.pairs:
                console.print(inert_text(pair.verdict, "bold" if pair.clear else ""))
            console.print()
    for note in comparison.notes:
        console.print(inert_text(f"note: {note}", "dim"))
    for name, signature in comparison.signatures.items():
        console.print(inert_text(f"{name}: {signature}", "dim"), soft_wrap=True)


def _unit(percent: bool) -> str:
    return ", %" if percent else ""


def _stage_table(report: Report) -> Table:
    title = f"{report.metric.name}{_unit(report.percent)}, over {report.items_used} items"
    columns = ("", "stage", "value", "95 % interval", "valid", "ties", "cut", "heard WER")
    table = plain_table(title, *columns, numbers=6)
    for stage in report.stages:
        table.add_row(*map(inert_text, _stage_cells(stage, report.percent)))
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
    flip = ("sign-flip p",) if any(step.p_flip is not None for step in report.steps) else ()
    columns = ("step", "finding", "lost", "gained", "exact p", *flip, "kept")
    table = plain_table("steps", *columns, numbers=len(columns) - 2)
    for step in report.steps:
        kept = number(step.retention.value if step.retention else None, percent=True)
        tests = [p_value(step.p), *(p_value(step.p_flip) for _ in flip)]
        cells = (_step_name(step), step.verdict, step.lost, step.gained, *tests, kept)
        style = ("red" if step.loss.value > 0 else "green") if step.clear else ""
        table.add_row(*map(inert_text, cells), style=style)
    return table


def _step_name(step: Step) -> str:
    return f"{step.name} ({step.first} - {step.second})"


def _power(of: Step | Group) -> str:
    return (
        f"a run like this finds a loss of {number(of.smallest_loss, percent=True)} points in 80 % of cases; "
        f"1 point takes {of.items_for_point:,} items"
    )


def _metric_table(name: str | None, report: Report) -> Table:
    """The metrics at both ends of a step, or in every stage where there is no step between them."""
    rows = [row for row in report.metrics if row.step == name]
    step = next((step for step in report.steps if step.name == name), None)
    stages = [step.first, step.second] if step else list(dict.fromkeys(n for row in rows for n in row.values))
    title = f"every metric: {step.name}" if step else "every metric"
    losses = ["loss"] if step else []
    table = plain_table(title, "", "n", *stages, *losses, numbers=1 + len(stages) + len(losses))
    for row in rows:
        values = [_stacked(row.values.get(stage), row.percent) for stage in stages]
        loss = [_stacked(row.loss, row.percent)] if step else []
        table.add_row(
            inert_text(f"{row.metric.name}{_unit(row.percent)}"), inert_text(row.items), *values, *loss
        )
    return table


def _stacked(estimate: Estimate | None, percent: bool) -> Text:
    """The value, and its interval on a line of its own."""
    value = number(estimate.value if estimate else None, percent)
    return Text.assemble(value, "\n", (interval(estimate, percent), "dim"))


def _print_turns(finding: TurnFinding, console: Console) -> None:
    """Each stage and each difference between stages, turn by turn; then what changes until the last."""
    changes: list[tuple[str, PairedDifference | None]]
    changes = [(trend.stage, trend.change) for trend in finding.trends]
    changes += [(f"{gap.second} - {gap.first}", gap.change) for gap in finding.gaps]
    means = [[_turn_cell(turn, finding.percent) for turn in trend.turns] for trend in finding.trends]
    gaps = [[_difference_cell(own, finding.percent) for own in gap.turns] for gap in finding.gaps]
    columns = list(zip((name for name, _ in changes), [*means, *gaps], strict=True))
    # A title of the table itself would be broken to the width of a single column.
    console.print(inert_text(f"by turn: {finding.name}{_unit(finding.percent)}", "bold"))
    for start in range(0, len(columns), MOST_SIDE_BY_SIDE):
        shown = columns[start : start + MOST_SIDE_BY_SIDE]
        names = [name for name, _ in shown]
        table = plain_table("", "turn", *names, numbers=len(names))
        for turn, cells in enumerate(zip(*(cells for _, cells in shown), strict=True), start=1):
            table.add_row(inert_text(turn), *cells)
        print_table(console, table)
    for trend in finding.trends:
        if unsure := _unsure_turns(trend):
            console.print(inert_text(f"not sure under {trend.stage}:  {unsure}", "yellow"))
    for name, change in changes:
        if change is not None:
            told = f"{name}, turn 1 to {finding.last}, n = {change.items}: {change.verdict}"
            console.print(inert_text(told, "bold" if change.clear else ""))
    console.print()


def _unsure_turns(trend: TurnTrend) -> str:
    """What is without a value at each turn and why, and what was cut there."""
    counts = ((turn.turn, _unsure(turn.invalid, turn.truncated)) for turn in trend.turns)
    return "; ".join(f"turn {turn}: {_reasons(unsure)}" for turn, unsure in counts if unsure)


def _turn_cell(turn: TurnMean, percent: bool) -> Text:
    """The mean, its interval, and what it is over, each on a line of its own."""
    without = f", {sum(turn.invalid.values())} without" if turn.invalid else ""
    counts = f"n = {turn.items}{', few' if turn.few else ''}{without}"
    return Text.assemble(_stacked(turn.estimate, percent), "\n", (counts, "dim"))


def _difference_cell(difference: PairedDifference | None, percent: bool) -> Text:
    if difference is None:
        return Text("–")
    value = number(difference.estimate.value, percent, signed=True)
    ends = interval(difference.estimate, percent, signed=True)
    counts = f"n = {difference.items}{', few' if difference.few else ''}, p {p_value(difference.p)}"
    return Text.assemble(value, "\n", (f"{ends}\n{counts}", "dim"))


def _published_table(published: PublishedTable) -> Table:
    subject = ", ".join(filter(None, (published.subset, published.condition)))
    title = f"{subject}: {published.metric}{_unit(published.percent)}, published and measured"
    table = plain_table(title, "", "source", "value", "95 % interval", "n", numbers=3)
    if published.options:
        table.caption = inert_text(f"measured with {published.options}", "dim")
        table.caption_justify = "left"
    for own in published.measured:
        value = number(own.estimate.value, published.percent)
        ends = interval(own.estimate, published.percent)
        cells = (f"this run: {own.system}", f"{own.stage}: {own.words}", value, ends, own.items)
        table.add_row(*map(inert_text, cells), style="bold")
    for other in published.published:
        source = f"{other.source}; {other.note}" if other.note else other.source
        value = number(other.value, published.percent)
        table.add_row(*map(inert_text, (f"published: {other.system}", source, value, "–", "–")))
    return table


def _print_powers(breakdown: Breakdown, console: Console) -> None:
    told = [group for group in breakdown.groups if group.smallest_loss is not None]
    for group in told:
        console.print(inert_text(f"{group.label}: {_power(group)}", "dim"))
    if told:
        console.print()


def _subset_table(breakdown: Breakdown, report: Report) -> Table:
    """Every stage of every subset and the main step: subsets are results of their own."""
    main = report.steps[report.main] if report.main is not None else None
    changes = ("lost", "gained", "p", "kept") if main else ()
    columns = ("by subset", "n", "value", "95 % interval", *changes)
    table = plain_table("", *columns, numbers=len(columns) - 1)
    for group in breakdown.groups:
        table.add_row(*map(inert_text, (group.label, group.items)), style="bold")
        rows: list[tuple[str, Estimate]] = [*group.values.items()]
        for name, estimate in [*rows, *([("prior", group.prior)] if group.prior else [])]:
            value, ends = number(estimate.value, report.percent), interval(estimate, report.percent)
            table.add_row(*map(inert_text, (f"  {name}", "", value, ends)))
        if main:
            table.add_row(
                *map(inert_text, (f"  {main.first} - {main.second}", "", *_loss_cells(group, report)))
            )
    return table


def _breakdown_table(breakdown: Breakdown, report: Report) -> Table:
    stages = [stage.name for stage in report.stages if stage.name in breakdown.groups[0].values]
    if report.main is not None and len(stages) > MOST_STAGES:
        stages = [report.steps[report.main].first, report.steps[report.main].second]
    step = ["loss", "95 % interval", "p"] if report.main is not None else []
    title = f"by {breakdown.name.replace('_', ' ')}"
    table = plain_table(title, "", "n", *stages, *step, numbers=1 + len(stages) + len(step))
    for group in breakdown.groups[:MOST_GROUPS]:
        values = [number(group.values[name].value, report.percent) for name in stages]
        loss, ends, _, _, p, _ = _loss_cells(group, report)
        table.add_row(
            *map(inert_text, (group.label, group.items, *values, *((loss, ends, p) if step else ())))
        )
    return table


def _loss_cells(group: Group, report: Report) -> tuple[str, ...]:
    """Loss, interval, lost, gained, p and what is kept above chance."""
    return (
        number(group.loss.value if group.loss else None, report.percent),
        interval(group.loss, report.percent),
        str(group.lost),
        str(group.gained),
        p_value(group.p),
        number(group.retention.value if group.retention else None, percent=True),
    )


def _checks(report: Report) -> list[Text]:
    lines = []
    if report.hearing:
        style = "" if report.hearing.heard else "bold red" if report.hearing.heard is False else "yellow"
        lines.append(inert_text(f"did it hear?  {report.hearing.verdict}", style))
    if report.prior:
        ends = interval(report.prior.estimate, report.percent)
        lines.append(inert_text(f"prior:  {report.prior.verdict} ({ends}, {report.prior.items} items)"))
    if report.prior and report.prior.added:
        style = "" if report.prior.added.clear and report.prior.added.gain.value > 0 else "yellow"
        lines.append(inert_text(f"of use?  {report.prior.added.verdict}", style))
    if report.prior and report.prior.invalid:
        lines.append(inert_text(f"not sure without the context:  {_reasons(report.prior.invalid)}", "yellow"))
    for stage in report.stages:
        if unsure := _unsure(stage.invalid, stage.truncated):
            reasons = _reasons(unsure)
            lines.append(
                inert_text(
                    f"not sure under {stage.name}:  {reasons}{_bounds(stage, report.percent)}", "yellow"
                )
            )
    return lines


def _unsure(invalid: Mapping[str, int], truncated: int) -> dict[str, int]:
    return {**invalid, **({"truncated": truncated} if truncated else {})}


def _reasons(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in counts.items())


def _bounds(stage: Stage, percent: bool) -> str:
    if stage.bounds is None:
        return ""
    low, high = stage.bounds
    return f"; with these at worst and best {number(low, percent)} to {number(high, percent)}"


def _model_table(table: ConditionTable, percent: bool) -> Table:
    subject = ", ".join(filter(None, (table.condition, table.subset)))
    title = f"{subject}: over {table.items} items valid in all runs"
    shown = plain_table(title, "model", "value", "95 % interval", "valid", numbers=3)
    for entry in table.entries:
        value = number(entry.estimate.value, percent)
        ends = interval(entry.estimate, percent)
        shown.add_row(*map(inert_text, (entry.model, value, ends, f"{entry.valid}/{entry.planned}")))
    return shown


def _pair_table(table: ConditionTable, percent: bool) -> Table:
    flip = ("sign-flip p",) if any(pair.p_flip is not None for pair in table.pairs) else ()
    tests = ("exact p", *flip, "Holm p")
    columns = ("first against second", "lead", "95 % interval", "won", "lost", *tests)
    shown = plain_table("pairs", *columns, numbers=len(columns) - 1)
    for pair in table.pairs:
        cells = (
            f"{pair.first} against {pair.second}",
            number(pair.lead.value, percent, signed=True),
            interval(pair.lead, percent),
            pair.first_better,
            pair.second_better,
            p_value(pair.p),
            *(p_value(pair.p_flip) for _ in flip),
            p_value(pair.p_holm),
        )
        shown.add_row(*map(inert_text, cells))
    return shown
