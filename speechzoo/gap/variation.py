"""What is left of a model's score when the same items are heard in other ways."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from speechzoo import stats
from speechzoo.asks import Failure
from speechzoo.channel import name_of
from speechzoo.gap.breakdowns import pooled_note
from speechzoo.gap.sample import Arms, Sample, common_items, estimate_of, sample
from speechzoo.gap.series import arm, finished, holding
from speechzoo.gap.stages import Measured
from speechzoo.gap.terms import Estimate
from speechzoo.gap.variation_factors import Levels, factors, without
from speechzoo.gap.variation_findings import (
    AgainstClean,
    Cell,
    Missing,
    Reference,
    Score,
    Table,
    Variation,
    Verdict,
)
from speechzoo.gap.variation_words import headline, notes, trends, warnings
from speechzoo.gap.wording import deciding, is_clear, is_percentage
from speechzoo.run.records import Results
from speechzoo.run.settings import settings_in

__all__ = ["Variation", "variation"]

Stages = Mapping[str, Sequence[Measured]]
"""By run."""


def variation(
    runs: Mapping[str, Results], missing: Mapping[str, str], levels: Mapping[str, Levels], title: str
) -> Variation:
    """The cells of a factorial, each against the clean clips.

    Args:
        runs: of one model on one task, by a name of their own. One whose settings are not those of the
            first is left out.
        missing: why other cells have no run.
        levels: of every run's factors; those of the clean clips are none.
        title: what it is of.

    Raises:
        SetupError: no cell has a finished run.
        SpeechzooError: the runs are not of the same task and data.
    """
    done, absent = finished(runs, missing, "cell")
    absent |= _run_otherwise(runs, list(done), levels)
    stages = {run: own for run, own in done.items() if run not in absent}
    kinds = {own["noise"] for own in levels.values() if "noise" in own}
    if len(kinds) == 1:
        levels = {run: dict(without(own, "noise")) for run, own in levels.items()}
    left_out = [Missing(name=name_of(levels[run]), reason=reason) for run, reason in absent.items()]
    metric = runs[next(iter(stages))].run.task.metrics[0]
    found = list(_tables(runs, {run: levels[run] for run in stages}, stages))
    tables = _adjusted([table for table, _ in found])
    pooled = [note for _, note in found if note]
    return Variation(
        title=title,
        headline=headline(tables, is_percentage(metric)),
        metric=metric,
        percent=is_percentage(metric),
        missing=tuple(left_out),
        warnings=tuple(warnings(tables, left_out)),
        notes=tuple(dict.fromkeys([*pooled, *notes(tables, kinds)])),
        tables=tuple(tables),
    )


def _run_otherwise(
    runs: Mapping[str, Results], keys: Sequence[str], levels: Mapping[str, Levels]
) -> dict[str, str]:
    """The runs that differ from the first in more than what is heard, and in what.

    The base text LLM is none of the settings: it hears nothing, and is asked beside the clean clips alone.
    """
    first = settings_in(runs[keys[0]].run)
    found = {}
    for key in keys[1:]:
        own = settings_in(runs[key].run)
        if differing := [name for name in first if own[name] != first[name]]:
            found[key] = (
                f"it was run with another {', '.join(differing)} than {name_of(levels[keys[0]])}; "
                "run the same command for all cells"
            )
    return found


def _tables(
    runs: Mapping[str, Results], levels: Mapping[str, Levels], stages: Stages
) -> Iterator[tuple[Table, str | None]]:
    """Scores over text continuations and over speech continuations, which are never compared; and a note."""
    for speech_scored in (False, True):
        chosen = {
            run: [stage for stage in several if stage.speech_scored == speech_scored]
            for run, several in stages.items()
        }
        if any(stage.place.condition.speech_in for several in chosen.values() for stage in several):
            arms = _arms(chosen)
            items = common_items(arms)
            source = holding(items, runs, stages)
            shared = sample(arms, items, source)
            note = pooled_note(source, shared, "is in the report of every cell")
            yield _table(runs, levels, chosen, shared, speech_scored), note


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
            name=name_of(levels[run]),
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
        factors=tuple(factors(cells)),
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
        loss=_loss(shared, clean, own) if p_flip is None else shared.loss(clean, own),
        lost=lost,
        gained=gained,
        p=p,
        p_flip=p_flip,
        p_holm=deciding(p, p_flip),
        verdict="not settled",
    )


def _loss(shared: Sample, clean: str, own: str) -> Estimate:
    """Of items that are right or wrong, weigh the same and share nothing, as those without ``p_flip`` are."""
    lost, gained = shared.changes(clean, own)
    right = [shared.values[shared.names.index(name)] == 1 for name in (clean, own)]
    both = int(np.count_nonzero(right[0] & right[1]))
    return estimate_of(stats.paired_difference(lost, gained, both, len(shared.items)))


def _adjusted(tables: Sequence[Table]) -> list[Table]:
    """With Holm's p over all tests: that is the family a reader picks from. Trends rest on these."""
    adjusted = iter(stats.holm([test.p_holm for table in tables for test in table.tests]))

    def judged(score: Score) -> Score:
        if score.against_clean is None:
            return score
        p_holm = next(adjusted)
        update = {"p_holm": p_holm, "verdict": _verdict(score.against_clean, p_holm)}
        return score.model_copy(update={"against_clean": score.against_clean.model_copy(update=update)})

    found = []
    for table in tables:
        cells = tuple(
            cell.model_copy(update={"scores": {name: judged(score) for name, score in cell.scores.items()}})
            for cell in table.cells
        )
        table = table.model_copy(update={"cells": cells})
        factors = [own.model_copy(update={"trends": tuple(trends(own, table))}) for own in table.factors]
        found.append(table.model_copy(update={"factors": tuple(factors)}))
    return found


def _verdict(test: AgainstClean, p_holm: float) -> Verdict:
    loss = test.loss
    if not test.lost + test.gained:
        return "every item is worth the same"
    if is_clear(loss, p_holm):
        return "loses" if loss.value > 0 else "gains"
    if loss.low is not None and loss.high is not None and loss.low <= 0 <= loss.high:
        return "no difference shown"
    return "not settled"
