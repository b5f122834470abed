"""A factorial as one page: nothing is loaded from anywhere, nothing runs; see `speechzoo.report.curve`."""

from markupsafe import Markup

from speechzoo.gap.variation_findings import Variation
from speechzoo.report.curve_plots import BOTTOM, LEFT, RIGHT, TOP
from speechzoo.report.page import asset, environment, policy
from speechzoo.report.variation_plots import drawings
from speechzoo.report.variation_tables import caption_of, invalid_of


def render(variation: Variation) -> str:
    """The page."""
    style = asset("report.css") + asset("curve.css") + asset("variation.css")
    templates = environment()
    templates.filters["invalid_of"] = invalid_of
    templates.globals["caption_of"] = caption_of
    return templates.get_template("variation.html.j2").render(
        variation=variation,
        style=Markup(style),
        policy=policy(style),
        tables=[(table, drawings(variation, table)) for table in variation.tables],
        frame={"left": LEFT, "right": RIGHT, "top": TOP, "bottom": BOTTOM},
    )
