"""A factorial as tables in a terminal."""

from rich.console import Console
from rich.table import Table as Grid

from speechzoo.gap.terms import StageName
from speechzoo.gap.variation_findings import Score, Table, Variation
from speechzoo.gap.wording import interval, number, p_value
from speechzoo.report.tables import inert_text, plain_table, print_table


def print_variation(variation: Variation, console: Console) -> None:
    """Headline, values by cell, and what the tests against the clean clips say."""
    console.print(inert_text(variation.title, "dim"))
    console.print(inert_text(variation.headline, "bold"))
    for warning in variation.warnings:
        console.print(inert_text(f"! {warning}", "yellow"))
    console.print()
    for table in variation.tables:
        for own in table.references:
            value, ends = (
                number(own.estimate.value, variation.percent),
                interval(own.estimate, variation.percent),
            )
            console.print(inert_text(f"{own.name}, {own.words}: {value} ({ends})"))
        for stage in table.stages:
            print_table(console, _value_table(variation, table, stage))
            print_table(console, _test_table(variation, table, stage))
        for factor in table.factors:
            for trend in factor.trends:
                console.print(inert_text(trend))
        console.print()
    for note in variation.notes:
        console.print(inert_text(f"note: {note}", "dim"))


def caption_of(variation: Variation, table: Table, stage: StageName) -> str:
    """What a table of values is of."""
    unit = ", %" if variation.percent else ""
    return f"{variation.metric.name}{unit}, {stage} ({table.stages[stage]}): over {table.items_used} items"


def invalid_of(score: Score) -> str:
    """``3/60``"""
    return f"{sum(score.invalid.values())}/{score.planned}"


def _value_table(variation: Variation, table: Table, stage: StageName) -> Grid:
    by_transcriber = any(cell.audio_wer is not None for cell in table.cells)
    columns = ("value", "95 % interval", "heard WER", *(["transcriber"] if by_transcriber else []), "invalid")
    grid = plain_table(caption_of(variation, table, stage), "cell", *columns, numbers=len(columns))
    for cell in table.cells:
        if (score := cell.scores.get(stage)) is not None:
            rates = [score.wer, *([cell.audio_wer] if by_transcriber else [])]
            cells = (
                cell.name,
                number(score.estimate.value if score.estimate else None, variation.percent),
                interval(score.estimate, variation.percent),
                *(number(rate, percent=True) for rate in rates),
                invalid_of(score),
            )
            grid.add_row(*map(inert_text, cells))
    return grid


def _test_table(variation: Variation, table: Table, stage: StageName) -> Grid:
    columns = ("loss", "95 % interval", "lost", "gained", "p", "Holm p")
    grid = plain_table(f"{stage} against the clean clips", "cell", "finding", *columns, numbers=len(columns))
    for cell in table.cells:
        test = cell.scores[stage].against_clean if stage in cell.scores else None
        if test is not None:
            cells = (
                cell.name,
                test.verdict,
                number(test.loss.value, variation.percent, signed=True),
                interval(test.loss, variation.percent, signed=True),
                test.lost,
                test.gained,
                p_value(test.p if test.p_flip is None else test.p_flip),
                p_value(test.p_holm),
            )
            grid.add_row(*map(inert_text, cells), style="bold" if test.verdict in ("loses", "gains") else "")
    return grid
