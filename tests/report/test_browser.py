"""The page in a real browser. Left out where Chromium or playwright is missing."""

import os
import shutil
from pathlib import Path

import pytest

from speechzoo.asks import ReplyAnswer
from speechzoo.gap import degradation
from speechzoo.report import html
from speechzoo.run.records import Key
from speechzoo.task import Grade
from tests.report.factory import SS, item, put, results

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="needs a Chromium in the PATH: apt-get install chromium"
)

DETAILS = {
    "verdicts": {"criteria_s_1": 1.0, "criteria_d_1": 0.25},
    "from_text_alone": True,
    "reasons": [],
    "turns": [{"says": "<b>Six</b> people", "words": 2}, {"says": "None", "words": 1}],
}


def test_what_a_judge_said_of_a_dialogue_can_be_read(tmp_path: Path) -> None:
    """Otherwise: verdicts and turns stand in the page as a program's brackets, without line breaks."""
    (role, condition), graded = SS, Grade({"accuracy": 1.0}, details=DETAILS)
    answer = put(Key(role=role, item="i0", condition=condition), ReplyAnswer("a"), graded)
    page = tmp_path / "report.html"
    page.write_text(html.render(degradation(results([item("i0")], dict([answer]))), tmp_path))
    with playwright.sync_playwright() as started:
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = started.chromium.launch(executable_path=CHROMIUM, args=options)
        own = browser.new_page()
        own.goto(page.as_uri())
        own.locator("#items tbody button").first.click()
        cells = own.locator(".grading td").all_inner_texts()
        browser.close()
    assert dict(zip(cells[::2], cells[1::2], strict=True)) == {
        "verdicts": "criteria_s_1: 1\ncriteria_d_1: 0.2500",
        "from text alone": "yes",
        "reasons": "–",
        "turns": "1.\nsays: <b>Six</b> people\nwords: 2\n2.\nsays: None\nwords: 1",
    }
