"""The report as one file that opens from disk: nothing is loaded from anywhere, nothing foreign runs.

Jinja escapes every value; data for the script is JSON in which nothing can end its element; the
script builds the page from text nodes only; and a content security policy names the one script and
the one style sheet by hash, so that anything else that looks like code stays text.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from speechzoo.gap.findings import ItemRow, Report
from speechzoo.gap.wording import FLIP_NOTE
from speechzoo.report import plots
from speechzoo.report.audio_store import embedded, paths_of
from speechzoo.report.page import asset, environment, inert_json, policy

MAX_ROWS = 5_000


def render(report: Report, folder: Path) -> str:
    """The page.

    Args:
        report: what to show.
        folder: the run's, where the replies' audio lies.
    """
    style, script = asset("report.css"), asset("report.js")
    shown = report.model_copy(update={"items": _most_changed(report.items)})
    page = environment().get_template("report.html.j2")
    return page.render(
        report=report,
        style=Markup(style),
        script=Markup(script),
        policy=policy(style, script),
        flip_note=FLIP_NOTE,
        plot=plots.stage_plot(report),
        value_scale=plots.value_scale(report, 6, 154),
        loss_scale=plots.loss_scale(report, 6, 154),
        turn_plots=plots.turn_plots(report),
        settings=list(_flat(report.run.model_dump(mode="json", exclude={"notes", "signature"}))),
        rows=len(shown.items),
        data=inert_json(_script_data(shown)),
        audio=inert_json(json.dumps(embedded(paths_of(shown), folder))),
    )


def _most_changed(items: Sequence[ItemRow]) -> tuple[ItemRow, ...]:
    """As many as a browser sorts and searches at ease, in the task's order."""
    by_change = sorted(items, key=lambda row: -abs(row.gap or 0.0))
    kept = {row.id for row in by_change[:MAX_ROWS]}
    return tuple(row for row in items if row.id in kept)


def _script_data(report: Report) -> str:
    stages = {stage.name: stage.words for stage in report.stages}
    main = report.steps[report.main] if report.main is not None else None
    head = {
        "percent": report.percent,
        "stages": stages,
        "conditions": {stage.name: stage.condition for stage in report.stages},
        "main": [main.first, main.second] if main else [],
    }
    items = report.model_dump_json(include={"items"}, exclude_defaults=True)
    return f'{{"head": {json.dumps(head)}, "body": {items}}}'


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every option with its dotted name."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and any(isinstance(inner, Mapping) for inner in value):
        for place, inner in enumerate(value):
            yield from _flat(inner, f"{name}[{place}]")
    else:
        yield name, ", ".join(map(str, value)) if isinstance(value, list) else str(value)
