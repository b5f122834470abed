"""The report on judges as tables in a terminal, within eighty columns; the page and the JSON have more."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from speechzoo.gap.terms import Estimate
from speechzoo.gap.wording import interval, number, p_value
from speechzoo.report.tables import inert_text, plain_table, print_table

from speechzoo_arena.judge_findings import (
    AgreementFinding,
    JudgeFinding,
    JudgeReport,
    LeanFinding,
    Measured,
    MetaEvaluation,
    RankRow,
)
from speechzoo_arena.published import DIMENSIONS, PrintedLean


def print_judge_report(report: JudgeReport, console: Console) -> None:
    """Headline, what is measured, what is published, notes."""
    console.print(inert_text(report.headline, "bold"))
    console.print()
    if report.measured is not None:
        _print_measured(report.measured, console)
    if report.published is not None:
        _print_published(report.published, console)


def _print_published(found: MetaEvaluation, console: Console) -> None:
    console.print(inert_text(f"Published: {found.source}", "dim"))
    console.print()
    for protocol in dict.fromkeys(row.protocol for row in found.against_people):
        own = [row for row in found.against_people if row.protocol == protocol]
        for dimension in DIMENSIONS:
            rows = [row for row in own if row.dimension == dimension]
            title = f"{protocol}, {dimension}: ranking against people's"
            print_table(console, _rank_table(title, ("judge",), [(row.judge,) for row in rows], rows))
    between = [row for row in found.between_protocols if row.dimension == "overall"]
    title = "overall: arena against rubrics of the same evaluator"
    print_table(console, _rank_table(title, ("evaluator",), [(row.evaluator,) for row in between], between))
    print_table(console, _printed_bias(found))
    print_table(console, _printed_agreement(found))
    _print_notes(found.notes, console)


def _printed_bias(found: MetaEvaluation) -> Table:
    columns = ("first wins, %", "interval", "longer wins, %", "interval")
    table = plain_table("printed bias", "evaluator", *columns, numbers=4)
    for row in found.printed:
        cells = (row.evaluator, *_printed(row.bias.position), *_printed(row.bias.length))
        table.add_row(*map(inert_text, cells))
    return table


def _printed_agreement(found: MetaEvaluation) -> Table:
    columns = ("battles*", "winner longer", "arena = rubrics", "kappa", "chance*")
    table = plain_table("printed agreement (* what it fits)", "evaluator", *columns, numbers=5)
    for row in found.printed:
        own = row.agreement
        cells = (f"{row.bias.seconds:+.1f} s", f"{own.rate:.3f}", f"{own.kappa:.3f}", f"{row.chance:.3f}")
        table.add_row(*map(inert_text, (row.evaluator, row.battles, *cells)))
    return table


def _printed(lean: PrintedLean) -> tuple[str, str]:
    return f"{lean.share:.1f}{'*' * lean.stars}", f"{lean.low:.1f} to {lean.high:.1f}"


def _rank_table(
    title: str, columns: Sequence[str], names: Sequence[Sequence[str]], rows: Sequence[RankRow]
) -> Table:
    measures = ("systems", "Spearman", "interval", "Kendall")
    table = plain_table(title, *columns, *measures, numbers=len(measures))
    for own, row in zip(names, rows, strict=True):
        kendall, _ = _plain(row.kendall)
        table.add_row(*map(inert_text, (*own, row.systems, *_plain(row.spearman), kendall)))
    return table


def _plain(estimate: Estimate | None) -> tuple[str, str]:
    return number(estimate.value if estimate else None, False), interval(estimate, False)


def _percent(estimate: Estimate | None) -> tuple[str, str]:
    return number(estimate.value if estimate else None, True), interval(estimate, True)


def _print_measured(found: Measured, console: Console) -> None:
    print_table(console, _judge_table(found.judges))
    for judge in found.judges:
        if judge.failed:
            told = ", ".join(f"{count} {reason}" for reason, count in judge.failed.items())
            console.print(inert_text(f"{named(judge)} without a verdict: {told}", "yellow"))
    print_table(console, _repeat_table(found.judges))
    print_table(console, _lean_table(found.judges))
    if any(judge.lengths for judge in found.judges):
        print_table(console, _margin_table(found.judges))
    for group in dict.fromkeys(row.group for row in found.agreements):
        rows = [row for row in found.agreements if row.group == group]
        print_table(console, _agreement_table(rows, group))
    if found.reliabilities:
        columns = ("raters", "battles", "alpha", "interval")
        table = plain_table("Krippendorff's alpha", "among", *columns, numbers=4)
        for own in found.reliabilities:
            table.add_row(*map(inert_text, (own.among, own.raters, own.battles, *_plain(own.alpha))))
        print_table(console, table)
    if found.rankings:
        names = [(row.one, row.two) for row in found.rankings]
        title = "Bradley-Terry rankings"
        print_table(console, _rank_table(title, ("judge", "against"), names, found.rankings))
    _print_notes(found.notes, console)


def _judge_table(judges: Sequence[JudgeFinding]) -> Table:
    columns = ("votes", "no verdict", "dialogues")
    table = plain_table("judges", "judge", *columns, numbers=3)
    for judge in judges:
        cells = (named(judge), judge.votes, sum(judge.failed.values()), judge.dialogues)
        table.add_row(*map(inert_text, cells))
    return table


def _repeat_table(judges: Sequence[JudgeFinding]) -> Table:
    columns = ("both orders", "reversed, %", "half, %", "repeated", "same, %", "interval")
    table = plain_table("the other order, and once more", "judge", *columns, numbers=6)
    for judge in judges:
        shares = (number(judge.reversed, True), number(judge.half, True))
        cells = (named(judge), judge.both_orders, *shares, judge.repeated, *_percent(judge.consistency))
        table.add_row(*map(inert_text, cells))
    return table


def _lean_table(judges: Sequence[JudgeFinding]) -> Table:
    columns = ("wins, %", "interval", "p", "verdicts", "ties")
    table = plain_table("leaning: wins of one side", "judge", "side", *columns, numbers=5)
    for judge in judges:
        leans = [("heard first", judge.position)]
        leans += [(f"more {length.unit}", length.lean) for length in judge.lengths]
        for side, lean in leans:
            if lean is not None:
                table.add_row(*map(inert_text, (named(judge), side, *_lean(lean))))
    return table


def _lean(lean: LeanFinding) -> tuple[str, ...]:
    return (*_percent(lean.share), p_value(lean.p), str(lean.battles), str(lean.ties))


def _margin_table(judges: Sequence[JudgeFinding]) -> Table:
    columns = ("winner minus loser", "interval", "equal", "unknown")
    table = plain_table("mean length", "judge", "in", *columns, numbers=4)
    for judge in judges:
        for length in judge.lengths:
            margin = (number(length.margin.value, False, True), interval(length.margin, False, True))
            cells = (named(judge), length.unit, *margin, length.equal, length.unknown)
            table.add_row(*map(inert_text, cells))
    return table


def _agreement_table(rows: Sequence[AgreementFinding], group: str) -> Table:
    columns = ("battles", "same, %", "kappa", "interval", "chance, %")
    title = f"agreement of verdicts on {group or 'all battles'}"
    table = plain_table(title, "judge", "with", *columns, numbers=5)
    for row in rows:
        same, _ = _percent(row.rate)
        cells = (row.one, row.two, row.battles, same, *_plain(row.kappa), number(row.chance, True))
        table.add_row(*map(inert_text, cells))
    return table


def named(judge: JudgeFinding) -> str:
    """``gpt-4o``, ``people (3)``."""
    return judge.judge if judge.kind == "model" else f"{judge.judge} ({judge.people})"


def _print_notes(notes: Sequence[str], console: Console) -> None:
    for note in notes:
        console.print(inert_text(f"note: {note}", "dim"))
    console.print()
