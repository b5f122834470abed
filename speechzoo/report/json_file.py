"""The report as ``report.json``, and its JSON Schema."""

import json

from speechzoo.gap.findings import Report


def render(report: Report) -> str:
    """The whole report; a view can be made from it alone."""
    return report.model_dump_json(indent=1) + "\n"


def read(text: str) -> Report:
    """What `render` wrote."""
    return Report.model_validate_json(text)


def schema() -> str:
    """What ``docs/report.schema.json`` holds."""
    return json.dumps(Report.model_json_schema(mode="serialization"), indent=1) + "\n"
