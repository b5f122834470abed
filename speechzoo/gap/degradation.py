"""The degradation report: puts the findings together."""

from collections.abc import Sequence

from speechzoo.gap.breakdowns import breakdowns
from speechzoo.gap.findings import Hearing, ItemRow, Report, Stage, Step
from speechzoo.gap.items import rows
from speechzoo.gap.probes import hearing, prior
from speechzoo.gap.sample import common_items, sample
from speechzoo.gap.stages import MAIN_FIRST, STEPS, arms_of, measured, stage, steps
from speechzoo.gap.wording import headline, is_percentage, stage_headline
from speechzoo.run.records import Results

UNFINISHED = ("not_answered", "not_graded")


def degradation(results: Results) -> Report:
    """What one model loses on one task, over the items valid under all compared conditions.

    With T0 the base text LLM on text, T the model on text, S on speech, SS on speech and speaking, C
    the rival: forgetting T0 - T, hearing and thinking T - S, speaking S - SS, gap to the rival
    C - S (terms: arXiv:2510.12116, arXiv:2510.13632; chance-corrected retention (S - c) / (T - c)).
    """
    metric = results.run.task.metrics[0]
    percent = is_percentage(metric)
    sources = measured(results)
    items = common_items(arms_of(sources))
    shared = sample(arms_of(sources), items, results)
    found_stages = [stage(source, shared, results.run.task.metrics) for source in sources]
    found_steps = steps(shared, percent)
    main = _main(found_steps)
    ends = (found_steps[main].first, found_steps[main].second) if main is not None else None
    probed = hearing(results)
    found_rows = tuple(rows(results, sources, ends))
    return Report(
        run=results.run,
        title=f"{_name(results)} on {results.run.task.identity.get('name', 'a task')}",
        headline=_headline(results, found_stages, found_steps, main),
        metric=metric,
        percent=percent,
        items_planned=len(results.items),
        items_used=len(items),
        warnings=(*_unfinished(found_rows), *_warnings(found_stages, len(items), probed)),
        stages=tuple(found_stages),
        steps=tuple(found_steps),
        main=main,
        breakdowns=tuple(breakdowns(results, sources, items, ends)),
        prior=prior(results, percent),
        hearing=probed,
        items=found_rows,
    )


def _name(results: Results) -> str:
    return str(results.run.systems["model"].identity.get("name", "the model"))


def _main(found: Sequence[Step]) -> int | None:
    names = [step.name for step in found]
    return next((names.index(name) for name in MAIN_FIRST if name in names), None)


def _headline(results: Results, stages: Sequence[Stage], found: Sequence[Step], main: int | None) -> str:
    percent = is_percentage(results.run.task.metrics[0])
    if main is not None:
        when = next(between.when for between in STEPS if between.name == found[main].name)
        return headline(_name(results), found[main], when, percent)
    with_value = [stage for stage in stages if stage.estimate is not None]
    if with_value:
        return stage_headline(_name(results), with_value[0], results.run.task.metrics[0].name, percent)
    if any(stage.valid for stage in stages):
        return f"Nothing can be compared: no item of {len(results.items)} is valid in every stage"
    return f"Nothing was measured: none of {len(results.items)} items has a valid answer"


def _unfinished(items: Sequence[ItemRow]) -> list[str]:
    done = sum(not any(cell.invalid in UNFINISHED for cell in row.cells.values()) for row in items)
    if done == len(items):
        return []
    return [f"The run is not finished: {done} of {len(items)} items answered; run the same command again."]


def _warnings(stages: Sequence[Stage], used: int, probed: Hearing | None) -> list[str]:
    deaf = probed is not None and probed.heard is False
    told = ["The audio hardly changes the answers: do not read the speech values as ability."] if deaf else []
    told += [
        f"{stage.name} ({stage.words}): none of {stage.planned} items is valid; the other stages are "
        "compared without it."
        for stage in stages
        if not stage.valid
    ]
    most = max((stage.planned for stage in stages), default=0)
    if used < most:
        told.append(f"Values are over {used} of {most} items: those valid in every stage with valid items.")
    return told
