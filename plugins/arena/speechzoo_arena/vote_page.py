"""The page that people vote on: one file; served with a program behind it, or exported with all it needs."""

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from jinja2 import PackageLoader
from markupsafe import Markup
from speechzoo.report.page import environment, inert_json, policy

from speechzoo_arena.vote_guide import RULE


def render(data: Mapping[str, Any], *, served: bool) -> str:
    """The page.

    Args:
        data: for its script.
        served: it asks the program that served it for ballots; otherwise it opens from disk, has them all in
            ``data`` and reaches nothing.
    """
    style, script = _asset("vote.css"), _asset("vote.js")
    templates = environment().overlay(loader=PackageLoader("speechzoo_arena"))
    return templates.get_template("vote.html.j2").render(
        style=Markup(style),
        script=Markup(script),
        policy=policy(style, script) + ("; connect-src 'self'" if served else ""),
        rule=RULE,
        served=served,
        free=bool(data["free"]),
        # JSON in which no parser of HTML finds an element's end; equal to the original once parsed.
        data=inert_json(json.dumps(data)),
    )


def _asset(name: str) -> str:
    return files("speechzoo_arena").joinpath("assets", name).read_text(encoding="utf-8")
