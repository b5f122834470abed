"""The curve over training steps as one page: nothing is loaded from anywhere, nothing runs.

As in the report's page, Jinja escapes every value, and a content security policy names the style sheet
by hash; there is no script.
"""

from markupsafe import Markup

from speechzoo.gap.curve_findings import Curve
from speechzoo.gap.wording import is_percentage
from speechzoo.report.curve_plots import BOTTOM, LEFT, RIGHT, TOP, drawings
from speechzoo.report.curve_tables import name_of
from speechzoo.report.page import asset, environment, policy


def render(curve: Curve) -> str:
    """The page."""
    style = asset("report.css") + asset("curve.css")
    templates = environment()
    templates.filters["name_of"] = name_of
    return templates.get_template("curve.html.j2").render(
        curve=curve,
        style=Markup(style),
        policy=policy(style),
        lines=[(line, drawings(curve, line)) for line in curve.lines],
        percentages={metric.name for metric in curve.others if is_percentage(metric)},
        frame={"left": LEFT, "right": RIGHT, "top": TOP, "bottom": BOTTOM},
    )
