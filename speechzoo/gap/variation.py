"""What is left of a model's score when the same items are heard in other ways."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np

from speechzoo import stats
from speechzoo.asks import Failure
from speechzoo.gap.breakdowns import pooled_note
from speechzoo.gap.findings import Estimate
from speechzoo.gap.sample import Arms, Sample, common_items, sample
from speechzoo.gap.series import arm, finished, holding
from speechzoo.gap.stages import Measured
from speechzoo.gap.variation_findings import (
    AgainstClean,
    Cell,
    Factor,
    Missing,
    Reference,
    Score,
    Sweep,
    Table,
    Variation,
    Verdict,
)
from speechzoo.gap.wording import FLIP_NOTE, deciding, interval, is_clear, is_percentage, number, p_value
from speechzoo.run.records import Results

__all__ = ["Variation", "variation"]

CLEAN = "clean"
NONE = "none"
# Whether a level is worse the larger it is; the levels of other factors are in no order.
WORSE_UPWARDS = {"snr": False, "reverb": True}
Levels = Mapping[str, str]
Stages = Mapping[str, Sequence[Measured]]
"""By run."""


def variation(
    runs: Mapping[str, Results], missing: Mapping[str, str], levels: Mapping[str, Levels], title: str
) -> Variation:
    """The cells of a factorial, each against the clean clips.

    Args:
        runs: of one model on one task, by a name of their own.
        missing: why other cells have no run.
        levels: of every run's factors; those of the clean clips are none.
        title: what it is of.

    Raises:
        SetupError: no cell has a finished run.
        SpeechzooError: the runs are not of the same task and data.
    """
    stages, without = finished(runs, missing, "cell")
    kinds = {own["noise"] for own in levels.values() if "noise" in own}
    if len(kinds) == 1:
        levels = {run: dict(_without(own, "noise")) for run, own in levels.items()}
    absent = [Missing(name=_name(levels[run]), reason=reason) for run, reason in without.items()]
    own_levels = {run: levels[run] for run in stages}
    first = runs[next(iter(stages))]
    tables, notes = [], []
    for speech_scored in (False, True):
        chosen = {
            run: [stage for stage in several if stage.speech_scored == speech_scored]
            for run, several in stages.items()
        }
        if any(stage.place.condition.speech_in for several in chosen.values() for stage in several):
            arms = _arms(chosen)
            source = holding(common_items(arms), runs, stages)
            shared = sample(arms, common_items(arms), source)
            tables.append(_table(runs, own_levels, chosen, shared, speech_scored))
            notes.append(pooled_note(source, shared, "is in the report of every cell"))
    metric = first.run.task.metrics[0]
    tables = _adjusted(tables)
    return Variation(
        title=title,
        headline=_headline(tables, is_percentage(metric)),
        metric=metric,
        percent=is_percentage(metric),
        missing=tuple(absent),
        warnings=tuple(_warnings(tables, absent)),
        notes=tuple(dict.fromkeys([*filter(None, notes), *_notes(tables, kinds)])),
        tables=tuple(tables),
    )


def _name(levels: Levels) -> str:
    return ",".join(f"{factor}={level}" for factor, level in levels.items()) or CLEAN


def _arms(stages: Stages) -> Arms:
    return {arm(one.place.name, run): one.grades for run, several in stages.items() for one in several}


def _table(
    runs: Mapping[str, Results],
    levels: Mapping[str, Levels],
    stages: Stages,
    shared: Sample | None,
    speech_scored: bool,
) -> Table:
    everything = [(run, stage) for run, several in stages.items() for stage in several]
    heard = [(run, stage) for run, stage in everything if stage.place.condition.speech_in]
    clean = next((run for run, own in levels.items() if not own), None)
    items = shared.items if shared else ()
    cells = [
        Cell(
            name=_name(levels[run]),
            run=run,
            levels=dict(levels[run]),
            scores={
                stage.place.name: _score(stage, run, clean, shared) for own, stage in heard if own == run
            },
            audio_wer=_mean(runs[run].audio_wer.get(item) for item in items),
            signature=runs[run].run.signature,
        )
        for run in stages
    ]
    read = {
        stage.place.name: (run, stage) for run, stage in reversed(everything) if (run, stage) not in heard
    }
    return Table(
        speech_scored=speech_scored,
        stages={stage.place.name: stage.place.words for _, stage in heard},
        items_planned=len({item for _, stage in everything for item in stage.outcomes}),
        items_used=len(items),
        references=tuple(
            Reference(name=name, words=stage.place.words, estimate=shared.estimate(arm(name, run)))
            for name, (run, stage) in reversed(read.items())
            if shared and arm(name, run) in shared.names
        ),
        cells=tuple(cells),
        factors=tuple(_factors(cells)),
    )


def _score(source: Measured, run: str, clean: str | None, shared: Sample | None) -> Score:
    own, reference = arm(source.place.name, run), arm(source.place.name, clean or "")
    reasons = [outcome.reason for outcome in source.outcomes.values() if isinstance(outcome, Failure)]
    names, items = (shared.names, shared.items) if shared else ((), ())
    tested = shared and run != clean and {own, reference} <= set(names)
    return Score(
        planned=len(source.outcomes),
        invalid=dict(Counter(reasons).most_common()),
        estimate=shared.estimate(own) if shared and own in names else None,
        wer=_mean(source.results[item].wer for item in items if item in source.results),
        against_clean=_against_clean(shared, reference, own) if shared and tested else None,
    )


def _mean(rates: Iterable[float | None]) -> float | None:
    known = [rate for rate in rates if rate is not None]
    return float(np.mean(known)) if known else None


def _against_clean(shared: Sample, clean: str, own: str) -> AgainstClean:
    lost, gained = shared.changes(clean, own)
    p, p_flip = stats.mcnemar(lost, gained), shared.p_flip(clean, own)
    return AgainstClean(
        loss=shared.loss(clean, own),
        lost=lost,
        gained=gained,
        p=p,
        p_flip=p_flip,
        p_holm=deciding(p, p_flip),
        verdict="not settled",
    )


def _adjusted(tables: Sequence[Table]) -> list[Table]:
    """With Holm's p over all tests: that is the family a reader picks from. Trends rest on these."""
    adjusted = iter(stats.holm([test.p_holm for table in tables for test in _tests(table)]))

    def judged(score: Score) -> Score:
        if score.against_clean is None:
            return score
        p_holm = next(adjusted)
        update = {"p_holm": p_holm, "verdict": _verdict(score.against_clean.loss, p_holm)}
        return score.model_copy(update={"against_clean": score.against_clean.model_copy(update=update)})

    found = []
    for table in tables:
        cells = tuple(
            cell.model_copy(update={"scores": {name: judged(score) for name, score in cell.scores.items()}})
            for cell in table.cells
        )
        table = table.model_copy(update={"cells": cells})
        factors = [own.model_copy(update={"trends": tuple(_trends(own, table))}) for own in table.factors]
        found.append(table.model_copy(update={"factors": tuple(factors)}))
    return found


def _tests(table: Table) -> list[AgainstClean]:
    scores = (score for cell in table.cells for score in cell.scores.values())
    return [score.against_clean for score in scores if score.against_clean is not None]


def _verdict(loss: Estimate, p_holm: float) -> Verdict:
    if is_clear(loss, p_holm):
        return "loses" if loss.value > 0 else "gains"
    if loss.low is not None and loss.high is not None and loss.low <= 0 <= loss.high:
        return "no difference shown"
    return "not settled"


def _factors(cells: Sequence[Cell]) -> Iterator[Factor]:
    """Those with several levels among the cells."""
    for factor in dict.fromkeys(name for cell in cells for name in cell.levels):
        sweeps = [own for own in _sweeps(factor, cells) if len(own.cells) > 1]
        if sweeps:
            yield Factor(
                name=factor,
                ordered=factor in WORSE_UPWARDS,
                levels=tuple(_in_order(factor, {level for own in sweeps for level in own.cells}, cells)),
                sweeps=tuple(sweeps),
                trends=(),
            )


def _sweeps(factor: str, cells: Sequence[Cell]) -> Iterator[Sweep]:
    by_others: dict[tuple[tuple[str, str], ...], list[Cell]] = {}
    for cell in cells:
        if factor in cell.levels:
            by_others.setdefault(_without(cell.levels, factor), []).append(cell)
    for others, own in by_others.items():
        # Of what kind the noise is says nothing where there is none.
        rest = _without(dict(others), "noise") if factor == "snr" else others
        found = {cell.levels[factor]: cell.name for cell in own}
        for cell in cells:
            if cell.levels == dict(rest):
                found[NONE] = cell.name
        levels = _in_order(factor, found, cells)
        name = ", ".join(
            f"{other}={dict(others).get(other, NONE)}" for other in _varying(cells) if other != factor
        )
        yield Sweep(name=name, cells={level: found[level] for level in levels})


def _without(levels: Levels, factor: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, level) for name, level in levels.items() if name != factor)


def _varying(cells: Sequence[Cell]) -> list[str]:
    """The factors with several levels, ``none`` among them; where there is no noise, it is of no kind."""
    names = dict.fromkeys(name for cell in cells for name in cell.levels)
    found = {
        name: {cell.levels.get(name, NONE) for cell in cells if name != "noise" or "snr" in cell.levels}
        for name in names
    }
    return [name for name, levels in found.items() if len(levels) > 1]


def _in_order(factor: str, levels: Collection[str], cells: Sequence[Cell]) -> list[str]:
    """From the mildest to the worst, or as they were named; ``none`` first."""
    named = list(dict.fromkeys(cell.levels[factor] for cell in cells if factor in cell.levels))
    if factor in WORSE_UPWARDS:
        named.sort(key=float, reverse=not WORSE_UPWARDS[factor])
    return [level for level in (NONE, *named) if level in levels]


def _trends(factor: Factor, table: Table) -> Iterator[str]:
    """At which levels a difference from the clean clips is shown; no more than the tests carry.

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
                for verdict, words in (
                    ("loses", "a loss is shown"),
                    ("gains", "a gain is shown"),
                    ("not settled", "not settled"),
                    ("no difference shown", "no difference is shown"),
                )
                if verdict in levels
            ]
            if told:
                yield f"{factor.name}{where}, {stage} against the clean clips: {'; '.join(told)}."


def _headline(tables: Sequence[Table], percent: bool) -> str:
    """The largest loss that is shown, of the first stage that listens."""
    stage, tested = next(
        ((stage, found) for table in tables for stage in table.stages if (found := _tested(table, stage))),
        ("", []),
    )
    if not tested:
        return "Nothing can be compared with the clean clips"
    unit = " points" if percent else ""
    shown = [(name, own) for name, own in tested if own.verdict == "loses"]
    if not shown:
        name, own = max(tested, key=lambda pair: pair[1].loss.value)
        spread = interval(own.loss, percent, signed=True)
        return (
            f"{stage}: no loss is shown in {len(tested)} cell{'s' if len(tested) > 1 else ''} against the "
            f"clean clips; the largest is {number(own.loss.value, percent)}{unit} under {name} "
            f"(95 % interval {spread}, Holm p {_equal(p_value(own.p_holm))})"
        )
    name, own = max(shown, key=lambda pair: pair[1].loss.value)
    return (
        f"{stage} loses {number(own.loss.value, percent)}{unit} under {name} against the clean clips "
        f"(95 % interval {interval(own.loss, percent)}, Holm p {_equal(p_value(own.p_holm))}); "
        f"a loss is shown in {len(shown)} of {len(tested)} cells"
    )


def _equal(p: str) -> str:
    return p if p.startswith("<") else f"= {p}"


def _tested(table: Table, stage: str) -> list[tuple[str, AgainstClean]]:
    scores = [(cell.name, cell.scores[name]) for cell in table.cells for name in cell.scores if name == stage]
    return [(name, score.against_clean) for name, score in scores if score.against_clean is not None]


def _warnings(tables: Sequence[Table], missing: Sequence[Missing]) -> list[str]:
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


def _notes(tables: Sequence[Table], kinds: Collection[str]) -> list[str]:
    tests = [test for table in tables for test in _tests(table)]
    told = []
    if kinds:
        told.append(
            f"snr is the level of active speech (ITU-T P.56) over that of {' or '.join(sorted(kinds))} noise "
            "from 50 Hz to 8 kHz, in dB; the noise added to a clip is the same at every level, only louder."
        )
    if len(tests) > 1:
        told.append(
            f"Holm p is adjusted for all {len(tests)} tests against the clean clips; intervals are not."
        )
    return [*told, FLIP_NOTE] if any(test.p_flip is not None for test in tests) else told
