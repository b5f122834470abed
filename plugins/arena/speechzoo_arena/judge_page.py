"""The report on judges as one file that opens from disk: nothing is loaded, nothing runs."""

from jinja2 import PackageLoader
from markupsafe import Markup
from speechzoo.report.page import asset, environment, policy
from speechzoo.report.plots import Scale

from speechzoo_arena.judge_findings import JudgeReport
from speechzoo_arena.judge_tables import named

_CORRELATION = Scale(-1, 1, 6, 174)
_SHARE = Scale(0, 1, 6, 174)


def render(report: JudgeReport) -> str:
    """The page."""
    style = asset("report.css")
    templates = environment().overlay(loader=PackageLoader("speechzoo_arena"))
    return templates.get_template("judge_report.html.j2").render(
        report=report,
        style=Markup(style),
        policy=policy(style),
        correlation=_CORRELATION,
        share=_SHARE,
        named=named,
    )
