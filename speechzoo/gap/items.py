"""One row an item: what was asked, what came back in each stage, and what it is worth."""

import heapq
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from speechzoo.asks import Answer, Failure, ScoreAnswer, heard_by, replies_of
from speechzoo.audio import AudioClip
from speechzoo.gap.findings import Cell, Change, ItemRow
from speechzoo.gap.probes import margin_of
from speechzoo.gap.stages import Measured
from speechzoo.gap.terms import StageName
from speechzoo.run.plan import LARGE
from speechzoo.run.records import PlannedItem, Result, Results
from speechzoo.task import Grade

MOST_ROWS = LARGE
"""Items that a report lists."""


def rows(
    results: Results, stages: Sequence[Measured], main: tuple[StageName, StageName] | None
) -> list[ItemRow]:
    """The items of the run, in the task's order; of very many those that say most."""
    chosen = results.items if len(results.items) <= MOST_ROWS else _telling(results, stages, main)
    return [_row(item, results, stages, main) for item in results.items.values() if item.id in chosen]


def _telling(
    results: Results, stages: Sequence[Measured], main: tuple[StageName, StageName] | None
) -> set[str]:
    """As many as are listed: those without a value first, then by how much the main step changes them."""
    metric = results.run.task.metrics[0].name
    ends = [stage.grades for stage in stages if main is None or stage.place.name in main]

    def change(item: str) -> float:
        if any(item not in grades for grades in ends):
            return math.inf
        return abs(ends[0][item].values[metric] - ends[-1][item].values[metric])

    return set(heapq.nlargest(MOST_ROWS, results.items, key=change))


def _row(
    item: PlannedItem, results: Results, stages: Sequence[Measured], main: tuple[StageName, StageName] | None
) -> ItemRow:
    own = [stage for stage in stages if item.id in stage.outcomes]
    cells = {stage.place.name: _cell(stage, item.id, results) for stage in own}
    sign = 1 if results.run.task.metrics[0].higher_is_better else -1
    return ItemRow(
        id=item.id,
        cluster=item.cluster,
        attributes=item.attributes,
        asks=item.asks,
        cells=cells,
        change=_change(cells, main, sign) if main else None,
        gap=_gap(cells, main, sign) if main else None,
        margin_gap=_margin_gap({stage.place.name: stage.results.get(item.id) for stage in own}, main),
    )


def _gap(cells: Mapping[StageName, Cell], main: tuple[StageName, StageName], sign: int) -> float | None:
    before, after = (cells[name].value if name in cells else None for name in main)
    return None if before is None or after is None else sign * (before - after)


def _change(cells: Mapping[StageName, Cell], main: tuple[StageName, StageName], sign: int) -> Change:
    gap = _gap(cells, main, sign)
    if gap is None:
        return "invalid"
    return "lost" if gap > 0 else "gained" if gap < 0 else "same"


def _margin_gap(
    answers: Mapping[StageName, Result | None], main: tuple[StageName, StageName] | None
) -> float | None:
    before, after = (margin_of(answers.get(name)) for name in main) if main else (None, None)
    return None if before is None or after is None else before - after


def _cell(stage: Measured, item: str, results: Results) -> Cell:
    outcome, result = stage.outcomes[item], stage.results.get(item)
    details = result.outcome.details if result and isinstance(result.outcome, Grade) else {}
    answer = result.answer if result else Failure("not_answered")
    metric = results.run.task.metrics[0].name
    return Cell(
        value=outcome.values[metric] if isinstance(outcome, Grade) else None,
        invalid=outcome.reason if isinstance(outcome, Failure) else None,
        invalid_detail=outcome.detail if isinstance(outcome, Failure) else "",
        tie=outcome.tie if isinstance(outcome, Grade) else False,
        truncated=result.truncated if result else False,
        text=_text(answer),
        scores=tuple(score.mean_nll for score in answer.scores) if isinstance(answer, ScoreAnswer) else (),
        heard=None if isinstance(answer, Failure) else heard_by(answer),
        wer=result.wer if result else None,
        clips=tuple(_path(clip, results.folder) for clip in _clips(answer)),
        details=dict(details) if isinstance(outcome, Grade) else {},
    )


def _text(answer: Answer | Failure) -> str | None:
    texts = [reply.text for reply in replies_of(answer) if reply.text is not None]
    return "\n\n".join(texts) if texts else None


def _clips(answer: Answer | Failure) -> list[AudioClip]:
    return [reply.clip for reply in replies_of(answer) if reply.clip is not None]


def _path(clip: AudioClip, folder: Path) -> str:
    if isinstance(clip.data, Path) and clip.data.is_relative_to(folder):
        return clip.data.relative_to(folder).as_posix()
    return str(clip.data) if isinstance(clip.data, Path) else f"audio/{clip.digest}.flac"
