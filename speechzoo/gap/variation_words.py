"""What a factorial shows, in sentences: no more than its tests carry."""

from collections.abc import Collection, Iterator, Sequence

from speechzoo.channel import CLEAN
from speechzoo.gap.terms import Estimate
from speechzoo.gap.variation_findings import AgainstClean, Factor, Missing, Table, Verdict
from speechzoo.gap.wording import FLIP_NOTE, interval, number, p_value

SHOWN: dict[Verdict, str] = {
    "loses": "a loss is shown",
    "gains": "a gain is shown",
    "not settled": "not settled",
    "no difference shown": "no difference is shown",
    "every item is worth the same": "every item is worth the same",
}
Tested = Sequence[tuple[str, AgainstClean]]
"""Cells by name."""


def trends(factor: Factor, table: Table) -> Iterator[str]:
    """At which levels a difference from the clean clips is shown.

    Of cells that differ from the clean clips in more than this factor, they say nothing of it.
    """
    cells = {cell.name: cell for cell in table.cells}
    for sweep in factor.sweeps:
        if CLEAN not in sweep.cells.values():
            continue
        where = f" at {sweep.name}" if sweep.name else ""
        for stage in table.stages:
            levels: dict[str, list[str]] = {}
            for level, name in sweep.cells.items():
                score = cells[name].scores.get(stage)
                if score is not None and score.against_clean is not None:
                    levels.setdefault(score.against_clean.verdict, []).append(level)
            told = [
                f"{words} at {', '.join(levels[verdict])}"
                for verdict, words in SHOWN.items()
                if verdict in levels
            ]
            if told:
                yield f"{factor.name}{where}, {stage} against the clean clips: {'; '.join(told)}."


def headline(tables: Sequence[Table], percent: bool) -> str:
    """The largest loss that is shown, or else the largest gain, of the first stage that listens."""
    stage, tested = next(
        ((stage, found) for table in tables for stage in table.stages if (found := _tested(table, stage))),
        ("", []),
    )
    if not tested:
        return "Nothing can be compared with the clean clips"
    losses = [pair for pair in tested if pair[1].verdict == "loses"]
    gains = [pair for pair in tested if pair[1].verdict == "gains"]
    if not losses and not gains:
        return _nothing_shown(stage, tested, percent)
    if losses:
        verb, (name, own) = "loses", max(losses, key=_loss)
    else:
        verb, (name, own) = "gains", min(gains, key=_loss)
    loss = own.loss
    size = loss if losses else Estimate(value=-loss.value, low=-(loss.high or 0.0), high=-(loss.low or 0.0))
    told = [
        f"a {what} is shown in {len(pairs)} of {_cells(tested)}"
        for what, pairs in (("loss", losses), ("gain", gains))
        if pairs
    ]
    return (
        f"{stage} {verb} {_amount(size.value, percent)} under {name} against the clean clips "
        f"(95 % interval {interval(size, percent)}, Holm p {_equal(p_value(own.p_holm))}); "
        + ", ".join(told if losses else [*told, "a loss in none"])
    )


def _nothing_shown(stage: str, tested: Tested, percent: bool) -> str:
    start = f"{stage}: no loss or gain is shown in {_cells(tested)} against the clean clips"
    name, own = max(tested, key=_loss)
    if not own.loss.value > 0:
        return f"{start}, and no score is lower"
    spread = interval(own.loss, percent, signed=True)
    return (
        f"{start}; the largest drop is {_amount(own.loss.value, percent)} under {name} "
        f"(95 % interval {spread}, Holm p {_equal(p_value(own.p_holm))})"
    )


def _loss(pair: tuple[str, AgainstClean]) -> float:
    return pair[1].loss.value


def _cells(tested: Tested) -> str:
    return f"{len(tested)} cell{'s' if len(tested) > 1 else ''}"


def _amount(value: float, percent: bool) -> str:
    return f"{number(value, percent)}{' points' if percent else ''}"


def _equal(p: str) -> str:
    return p if p.startswith("<") else f"= {p}"


def _tested(table: Table, stage: str) -> Tested:
    scores = [(cell.name, cell.scores[name]) for cell in table.cells for name in cell.scores if name == stage]
    return [(name, score.against_clean) for name, score in scores if score.against_clean is not None]


def warnings(tables: Sequence[Table], missing: Sequence[Missing]) -> list[str]:
    told = [f"{own.name} is left out: {own.reason}" for own in missing]
    if tables and not any(cell.name == CLEAN for cell in tables[0].cells):
        told.append("The clean clips have no finished run: no cell is held against them.")
    for table in tables:
        told += [
            f"{cell.name}: none of {score.planned} items is valid under {stage} ({table.stages[stage]}); the "
            "other cells are compared without it."
            for cell in table.cells
            for stage, score in cell.scores.items()
            if score.planned and score.planned == sum(score.invalid.values())
        ]
        if out := table.items_planned - table.items_used:
            told.append(
                f"Values are over {table.items_used} of {table.items_planned} items, those valid in every "
                f"cell; {out} fell out. If worse clips make hard items invalid, the loss shown is too small."
            )
    return told


def notes(tables: Sequence[Table], kinds: Collection[str]) -> list[str]:
    tests = [test for table in tables for test in table.tests]
    told = []
    if kinds:
        told.append(
            f"snr is the level of active speech (ITU-T P.56) over that of {' or '.join(sorted(kinds))} noise "
            "from 50 Hz to 8 kHz (half the rate of clips below 16 kHz), in dB; the noise added to a clip is "
            "the same at every level, only louder."
        )
    if len(tests) > 1:
        told.append(
            f"Holm p is adjusted for all {len(tests)} tests against the clean clips; intervals are not."
        )
    return [*told, FLIP_NOTE] if any(test.p_flip is not None for test in tests) else told
