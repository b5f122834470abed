"""The degradation report: puts the findings together."""

from collections.abc import Sequence

from speechzoo.asks import Failure
from speechzoo.gap.breakdowns import breakdowns, pooled_note
from speechzoo.gap.families import Family, families, metric_rows
from speechzoo.gap.findings import Hearing, Report, Stage, Step
from speechzoo.gap.items import rows
from speechzoo.gap.probes import hearing, prior
from speechzoo.gap.published import published_tables
from speechzoo.gap.stages import SPEECH_STEPS, STEPS, Measured, stage
from speechzoo.gap.turns import by_turn
from speechzoo.gap.wording import headline, is_percentage, stage_headline
from speechzoo.run.records import Judging, Results
from speechzoo.run.results import collection_paused

UNFINISHED = ("not_answered", "not_graded")


@collection_paused()
def degradation(results: Results) -> Report:
    """What one model loses on one task, over the items valid under all compared conditions.

    With T0 the base text LLM on text, T the model on text, S on speech, SS on speech and speaking, C
    the rival: forgetting T0 - T, hearing and thinking T - S, speaking S - SS, gap to the rival
    C - S (terms: arXiv:2510.12116, arXiv:2510.13632; chance-corrected retention (S - c) / (T - c)).
    """
    metrics = results.run.task.metrics
    percent = is_percentage(metrics[0])
    found = families(results)
    first = found[0]
    in_order = sorted(found, key=lambda family: family.speech_scored)
    found_stages = [stage(source, family.shared, metrics) for family in in_order for source in family.stages]
    found_steps = [step for family in in_order for step in family.steps]
    probed = hearing(results)
    sources = [source for family in in_order for source in family.stages]
    found_rows = tuple(rows(results, sources, first.ends))
    pooled = pooled_note(results, first.shared, "is in the first breakdown")
    return Report(
        run=results.run,
        title=_title(results),
        headline=_headline(results, found_stages, first.main),
        metric=metrics[0],
        percent=percent,
        items_planned=len(results.items),
        items_used=len(first.items),
        warnings=(*_unfinished(results, sources), *_warnings(found_stages, found, probed)),
        notes=tuple(filter(None, (pooled, _judged(results.judging), _listed(len(found_rows), results)))),
        stages=tuple(found_stages),
        steps=tuple(found_steps),
        main=found_steps.index(first.main) if first.main else None,
        metrics=tuple(row for family in in_order for row in metric_rows(family)),
        by_turn=tuple(by_turn(results, sources)),
        breakdowns=tuple(breakdowns(results, first)),
        published=tuple(published_tables(results, in_order)),
        prior=prior(results, percent),
        hearing=probed,
        items=found_rows,
    )


def _title(results: Results) -> str:
    run = results.run
    told = [f"{_name(results)} on {run.task.identity.get('name', 'a task')}"]
    if run.channel:
        told.append(f"heard through {run.channel}")
    if run.voice is not None:
        told.append(f"spoken by {run.voice.get('name', 'another voice')}")
    return ", ".join(told)


def _name(results: Results) -> str:
    return str(results.run.systems["model"].identity.get("name", "the model"))


def _headline(results: Results, stages: Sequence[Stage], main: Step | None) -> str:
    percent = is_percentage(results.run.task.metrics[0])
    if main is not None:
        when = next(between.when for between in (*STEPS, *SPEECH_STEPS) if between.name == main.name)
        return headline(_name(results), main, when, percent)
    with_value = [stage for stage in stages if stage.estimate is not None]
    if with_value:
        return stage_headline(_name(results), with_value[0], results.run.task.metrics[0].name, percent)
    if any(stage.valid for stage in stages):
        return f"Nothing can be compared: no item of {len(results.items)} is valid in every stage"
    return f"Nothing was measured: none of {len(results.items)} items has a valid answer"


def _judged(judging: Judging | None) -> str | None:
    if judging is None:
        return None
    usage = judging.usage
    cost = "at a cost unknown" if usage.cost is None else f"for {usage.cost:.2f} USD"
    return (
        f"Values are opinions of the judge {judging.judge}: {judging.judgements} judgements, "
        f"{judging.invalid} of them no valid form; {usage.input_tokens:,} tokens in, "
        f"{usage.output_tokens:,} out, {cost}."
    )


def _listed(rows: int, results: Results) -> str | None:
    if rows == len(results.items):
        return None
    return (
        f"Of {len(results.items):,} items {rows:,} are listed, those without a value and those that changed "
        "most; items.jsonl, answers.jsonl and grades.jsonl hold all of them."
    )


def _unfinished(results: Results, stages: Sequence[Measured]) -> list[str]:
    missing = {
        item
        for stage in stages
        for item, outcome in stage.outcomes.items()
        if isinstance(outcome, Failure) and outcome.reason in UNFINISHED
    }
    if not missing:
        return []
    planned = len(results.items)
    done = planned - len(missing)
    return [f"The run is not finished: {done} of {planned} items answered; run the same command again."]


def _warnings(stages: Sequence[Stage], found: Sequence[Family], probed: Hearing | None) -> list[str]:
    deaf = probed is not None and probed.heard is False
    told = ["The audio hardly changes the answers: do not read the speech values as ability."] if deaf else []
    told += [
        f"{stage.name} ({stage.words}): none of {stage.planned} items is valid; the other stages are "
        "compared without it."
        for stage in stages
        if not stage.valid
    ]
    for family in found:
        most = max(len(stage.outcomes) for stage in family.stages)
        if len(family.items) < most:
            told.append(
                f"Values{_of(family, found)} are over {len(family.items)} of {most} items: those valid in "
                "every stage with valid items."
            )
    if len(found) > 1:
        told.append(
            "Scores of speech continuations are over speech tokens: they share no step and no items with "
            "the other stages."
        )
    return told


def _of(family: Family, found: Sequence[Family]) -> str:
    names = ", ".join(stage.place.name for stage in family.stages)
    return f" of {names}" if len(found) > 1 else ""
