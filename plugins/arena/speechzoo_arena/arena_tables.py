"""The report on an arena as tables in a terminal, within eighty columns; the page and the JSON have more."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from speechzoo.gap.terms import Estimate
from speechzoo.gap.wording import number, p_value
from speechzoo.report.tables import inert_text, plain_table, print_table

from speechzoo_arena.arena_findings import (
    ArenaReport,
    Board,
    Comparison,
    JointBoard,
    PairFinding,
)
from speechzoo_arena.joint_board import TOGETHER
from speechzoo_arena.judge_tables import named

_JOINT = ("rating", "interval", "rank")


def print_arena(report: ArenaReport, console: Console) -> None:
    """Headline, warnings, the pooled board of each rater, its pairs, and what judges lean to."""
    console.print(inert_text(report.headline, "bold"))
    for warning in report.warnings:
        console.print(inert_text(warning, "yellow"))
    console.print()
    for board in report.boards:
        if not board.group and board.standings:
            print_table(console, _standings(board))
            if board.pairs:
                print_table(console, _pairs(board.pairs))
    if report.joint is not None:
        _print_joint(report.joint, console)
    if report.judges is not None:
        print_table(console, _judges(report))


def _standings(board: Board) -> Table:
    title = f"{board.rater}: {board.battles} battles on {board.dialogues} dialogues"
    columns = ("rating", "interval", "rank", "won", "tied", "lost", "Elo")
    table = plain_table(title, "system", *columns, numbers=len(columns))
    for row in board.standings:
        cells = (
            row.system,
            points(row.rating.value if row.rating else None),
            points_interval(row.rating),
            ranks(row.rank),
            row.wins,
            row.ties,
            row.losses,
            points(row.elo),
        )
        table.add_row(*map(inert_text, cells))
    return table


def _print_joint(joint: JointBoard, console: Console) -> None:
    for told in joint.told:
        console.print(inert_text(told, "yellow"))
    if joint.unrated:
        console.print(inert_text(f"{TOGETHER}: no ratings, {joint.unrated}", "yellow"))
        return
    table = plain_table(
        f"{TOGETHER}: {joint.verdicts} verdicts",
        "system",
        *_JOINT,
        numbers=len(_JOINT),
    )
    for row in joint.standings:
        told_of = (
            points(row.rating.value if row.rating else None),
            points_interval(row.rating),
            ranks(row.rank),
        )
        table.add_row(*map(inert_text, (row.system, *told_of)))
    print_table(console, table)
    if joint.pairs:
        print_table(console, _pairs(joint.pairs, more=False))
    for comparison in joint.comparisons:
        if comparison.systems:
            print_table(console, _apart(comparison))


def _apart(comparison: Comparison) -> Table:
    columns = ("judge", "people", "people's lead", "interval")
    title = f"{comparison.judge} and people apart: same strengths, p {p_value(comparison.p_holm)}"
    table = plain_table(title, "system", *columns, numbers=len(columns))
    for row in comparison.systems:
        lead = points(row.difference.value), points_interval(row.difference)
        table.add_row(*map(inert_text, (row.system, points(row.judge), points(row.people), *lead)))
    return table


def _pairs(pairs: Sequence[PairFinding], more: bool = True) -> Table:
    columns = ("lead", "interval", "adjusted p", "settled", *(["more battles"] if more else []))
    table = plain_table("who is ahead of whom", "pair", *columns, numbers=len(columns))
    for pair in pairs:
        cells = (
            f"{pair.first} over {pair.second}",
            points(pair.lead.value),
            points_interval(pair.lead),
            p_value(pair.p_holm),
            "yes" if pair.settled else "no",
            "–" if pair.settled or pair.more is None else f"{pair.more:,}",
        )
        table.add_row(*map(inert_text, cells[: len(columns) + 1]))
    return table


def _judges(report: ArenaReport) -> Table:
    columns = ("votes", "failed", "first, %", "longer, %", "orders differ, %", "again, %")
    table = plain_table(
        "who judged: wins of who is first and longer, the same verdict again",
        "judge",
        *columns,
        numbers=len(columns),
    )
    assert report.judges is not None
    for judge in report.judges.judges:
        longer = next((own.lean for own in judge.lengths if own.lean), None)
        differing = None if judge.reversed is None else judge.reversed + (judge.half or 0.0)
        cells = (
            named(judge),
            judge.votes,
            sum(judge.failed.values()),
            number(judge.position.share.value if judge.position else None, True),
            number(longer.share.value if longer else None, True),
            number(differing, True),
            number(judge.consistency.value if judge.consistency else None, True),
        )
        table.add_row(*map(inert_text, cells))
    return table


def points(value: float | None) -> str:
    """``1043``, a dash for nothing."""
    return "–" if value is None else f"{round(value) + 0}"


def points_interval(estimate: Estimate | None) -> str:
    """``980 to 1101``, a dash for nothing."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return "–"
    return f"{points(estimate.low)} to {points(estimate.high)}"


def ranks(rank: Estimate | None) -> str:
    """``2 (1 to 3)``, without an interval the rank alone."""
    if rank is None:
        return "–"
    return points(rank.value) if rank.low is None else f"{points(rank.value)} ({points_interval(rank)})"
