"""What asking again in other ways showed, as tables in a terminal."""

from rich.console import Console
from rich.table import Table

from speechzoo.gap.invariance_findings import Difference, Invariance, WayFinding
from speechzoo.gap.wording import asked_again, nats
from speechzoo.report.tables import inert_text, plain_table, print_table

MOST_NAMED = 5
STYLES = {"identical": "", "within tolerance": "", "differs": "red", "not run": "dim"}


def print_invariance(found: Invariance, console: Console) -> None:
    """Headline, a row a way, what each of them is, and the answers that differ."""
    console.print(inert_text(found.headline, "bold" if found.holds else "bold red"))
    console.print()
    print_table(console, _table(found))
    for way in found.ways:
        console.print(inert_text(f"{way.way}: {_meaning(way)}", "dim"))
    console.print()
    for way in found.ways:
        for difference in way.differing[:MOST_NAMED]:
            console.print(inert_text(f"{way.way}: {_told(difference)}", "yellow"))
        if len(way.differing) > MOST_NAMED:
            console.print(inert_text(f"{way.way}: more of them in report.html", "dim"))
    for note in (*found.notes, asked_again(found)):
        console.print(inert_text(f"note: {note}", "dim"))


def _told(difference: Difference) -> str:
    """One difference in a line."""
    way = "/".join(filter(None, (difference.role, difference.condition, difference.variant)))
    values = (difference.value_before, difference.value_after)
    graded = "" if values[0] == values[1] else f" (worth {_value(values[0])}, then {_value(values[1])})"
    return f"{difference.item}, {way}: {difference.before} became {difference.after}{graded}"


def _value(value: float | None) -> str:
    return "nothing" if value is None else f"{value:.4g}"


def _table(found: Invariance) -> Table:
    columns = ("verdict", "asks", "identical", "within", "differ", "nats/token", "grades")
    table = plain_table("asked again", "", *columns, numbers=6)
    for way in found.ways:
        counts = (way.asks, way.identical, way.within, way.differ, nats(way.largest), way.grades_changed)
        cells = counts if way.verdict != "not run" else ("–",) * len(counts)
        verdict = way.verdict.removesuffix(" tolerance")
        table.add_row(*map(inert_text, (way.way, verdict, *cells)), style=STYLES[way.verdict])
    return table


def _meaning(way: WayFinding) -> str:
    if way.verdict == "not run":
        return f"{way.changed}; not run: {way.why}"
    batches = f"{way.batches} batch{'es' if way.batches != 1 else ''}"
    return f"{way.changed} ({batches} of at most {way.largest_batch}, {way.seconds:.0f} s)"
