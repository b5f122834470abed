"""The report on an arena as one file that opens from disk: nothing is loaded, nothing foreign runs.

Jinja escapes every value; data for the script are JSON in which nothing can end its element; the script
makes the page of text nodes only; and a content security policy names the one script and the one style
sheet by hash.
"""

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from jinja2 import PackageLoader
from markupsafe import Markup
from speechzoo.report.audio_store import embedded
from speechzoo.report.page import asset, environment, inert_json, policy
from speechzoo.report.plots import Scale

from speechzoo_arena.arena_audio import paths_of
from speechzoo_arena.arena_findings import ArenaReport, Board, JointBoard, TrendFinding, WinRateFinding
from speechzoo_arena.arena_tables import points, points_interval, ranks
from speechzoo_arena.judge_tables import named
from speechzoo_arena.published import DIMENSIONS

_NARROWEST = 50.0
_LEFT, _RIGHT = 6, 174
_SHARE = Scale(0, 1, _LEFT, _RIGHT)
_CORRELATION = Scale(-1, 1, _LEFT, _RIGHT)


def render(report: ArenaReport, folder: Path) -> str:
    """The page.

    Args:
        report: what to show.
        folder: the arena's, which the paths of clips are relative to.
    """
    style, script = asset("report.css") + _asset("arena.css"), _asset("arena.js")
    made = environment().overlay(loader=PackageLoader("speechzoo_arena"))
    made.filters |= {"points": points, "points_interval": points_interval, "ranks": ranks}
    return made.get_template("arena.html.j2").render(
        report=report,
        style=Markup(style),
        script=Markup(script),
        policy=policy(style, script),
        named=named,
        rating_scale=_rating_scale(report),
        share=_SHARE,
        correlation=_CORRELATION,
        wins=_wins,
        by_quantity=_by_quantity(report.trends),
        dimensions=DIMENSIONS,
        data=inert_json(report.model_dump_json(include={"dialogues", "meetings"})),
        audio=inert_json(json.dumps(embedded(paths_of(report), folder))),
    )


def _asset(name: str) -> str:
    return files("speechzoo_arena").joinpath("assets", name).read_text(encoding="utf-8")


def _rating_scale(report: ArenaReport) -> Scale:
    """Symmetric around the mean, wide enough for every interval of every board."""
    boards: list[Board | JointBoard] = [*report.boards, *([report.joint] if report.joint else [])]
    ratings = [row.rating for board in boards for row in board.standings if row.rating]
    ends = [abs(end - 1000) for own in ratings for end in (own.value, own.low, own.high) if end is not None]
    widest = max([*ends, _NARROWEST])
    return Scale(1000 - widest, 1000 + widest, _LEFT, _RIGHT)


def _wins(board: Board) -> Mapping[tuple[str, str], WinRateFinding]:
    return {(own.row, own.column): own for own in board.wins}


def _by_quantity(trends: tuple[TrendFinding, ...]) -> dict[str, list[TrendFinding]]:
    found: dict[str, list[TrendFinding]] = {}
    for own in trends:
        found.setdefault(own.quantity, []).append(own)
    return found
