"""The views: complete, self-contained, and inert whatever a run holds."""

import base64
import hashlib
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import pytest
from rich.console import Console

from speechzoo.asks import ReplyAnswer
from speechzoo.gap import Report, compare, degradation
from speechzoo.report import audio_store, html, json_file
from speechzoo.report.terminal import print_comparison, print_report
from speechzoo.run.records import Key
from speechzoo.specs import Condition
from speechzoo.task import Grade
from tests.report.factory import S, T, full_run, item, put, results, run_file, scored, with_model_name

HOSTILE = '<script>alert(1)</script></script>"><img src=x onerror=alert(2)>\x1b[31m[bold]\u2028=cmd()\u202e'


class Page(HTMLParser):
    """Elements, their attributes, and the text of scripts by id."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: dict[str | None, str] = {}
        self.open: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.open = dict(attrs).get("id", tag) if tag in ("script", "style") else None

    def handle_endtag(self, tag: str) -> None:
        self.open = None

    def handle_data(self, data: str) -> None:
        if self.open is not None:
            self.scripts[self.open] = self.scripts.get(self.open, "") + data


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def report(folder: Path) -> Report:
    return degradation(full_run(folder, n=20))


@pytest.fixture(scope="module")
def hostile() -> Report:
    run = run_file(HOSTILE, signature=HOSTILE, notes=(HOSTILE,), environment={HOSTILE: HOSTILE})
    names = [f"{HOSTILE}{place}" for place in range(4)]
    items = [item(name, **{HOSTILE: f"{HOSTILE}{place % 2}"}) for place, name in enumerate(names)]
    key = Key(role="model", item=names[0], condition=Condition.S2S)
    spoken = dict([put(key, ReplyAnswer(HOSTILE), Grade({"accuracy": 1.0}, details={HOSTILE: HOSTILE}))])
    speech = {name: HOSTILE if name == names[3] else 1.0 for name in names}
    return degradation(
        results(items, scored(T, dict.fromkeys(names, 1.0)), scored(S, speech), spoken, run=run)
    )


def printed(report: Report, width: int = 80) -> str:
    out = io.StringIO()
    print_report(report, Console(file=out, width=width))
    return out.getvalue()


def test_the_terminal_shows_the_findings_in_eighty_columns(report: Report) -> None:
    text = printed(report)
    assert max(len(line) for line in text.splitlines() if line != report.run.signature) <= 80
    for words in (
        "when the context is spoken",
        "hearing and thinking",
        "did it hear?",
        "prior:",
        "too_long",
        "by voice",
    ):
        assert words in text
    assert report.run.signature in text
    assert "\x1b" not in text


def test_the_terminal_obeys_nothing_from_a_run(hostile: Report) -> None:
    out = io.StringIO()
    print_report(hostile, Console(file=out, width=200, force_terminal=True, color_system=None))
    text = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue().replace("\x1b[31m", "BAD"))
    assert "BAD" not in text
    assert not set("\x1b\u2028\u202e") & set(text)
    assert "[bold]" in text


def test_a_comparison_is_printed(report: Report, folder: Path) -> None:
    run = full_run(folder, n=20)
    out = io.StringIO()
    print_comparison(compare([run, with_model_name(run, "other[bold]", "b")]), Console(file=out, width=80))
    assert "other[bold]" in out.getvalue()
    assert max(map(len, out.getvalue().splitlines())) <= 120  # signatures are never wrapped


def test_json_is_the_whole_report(report: Report, hostile: Report) -> None:
    for one in (report, hostile):
        assert json_file.read(json_file.render(one)) == one
    assert json.loads(json_file.render(hostile))["run"]["signature"] == HOSTILE


def test_the_published_schema_is_up_to_date_and_holds(report: Report) -> None:
    published = Path(__file__).parents[2] / "docs" / "report.schema.json"
    assert published.read_text(encoding="utf-8") == json_file.schema(), "write json_file.schema() to it"
    jsonschema.validate(json.loads(json_file.render(report)), json.loads(json_file.schema()))


def test_the_page_loads_nothing_and_its_policy_names_its_own_code(report: Report, folder: Path) -> None:
    page = Page(html.render(report, folder))
    policy = next(a["content"] for t, a in page.tags if t == "meta" and a.get("http-equiv"))
    assert policy is not None
    for name, directive in (("script", "script-src"), ("style", "style-src")):
        digest = base64.b64encode(hashlib.sha256(page.scripts[name].encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    assert not [
        a for _, a in page.tags if {"src", "href", "style"} & a.keys() or any(n.startswith("on") for n in a)
    ]
    assert "innerHTML" not in page.scripts["script"]
    data = json.loads(page.scripts["data"])
    assert [row["id"] for row in data["body"]["items"]] == [row.id for row in report.items]


def test_the_page_holds_hostile_content_as_text(hostile: Report) -> None:
    text = html.render(hostile, Path("nowhere"))
    page = Page(text)
    assert [tag for tag, _ in page.tags].count("script") == 3
    assert "img" not in [tag for tag, _ in page.tags]
    data = json.loads(page.scripts["data"])
    assert data["body"]["items"][0]["id"] == f"{HOSTILE}0"
    assert not set("<>&\u2028\u2029") & set(page.scripts["data"] + page.scripts["audio"])
    assert "&lt;script&gt;alert(1)" in text
    assert "\u202e" not in text.replace(page.scripts["data"], "").replace(page.scripts["audio"], "")


def test_clips_are_embedded_once_and_missing_ones_said(report: Report, folder: Path) -> None:
    lost = folder / "clips" / "story-005.wav"
    kept = lost.read_bytes()
    lost.unlink()
    try:
        found = audio_store.embedded(report, folder)
    finally:
        lost.write_bytes(kept)
    files, clips = found["files"], found["clips"]
    assert isinstance(files, dict)
    assert isinstance(clips, list)
    assert "audio cannot be read" in files[str(lost)]
    assert base64.b64decode(clips[files["audio/story-000.flac"]]).startswith(b"OggS")
    assert len(clips) == len({place for place in files.values() if isinstance(place, int)})


def test_the_audio_budget_is_spent_on_the_largest_gaps(report: Report, folder: Path) -> None:
    files = audio_store.embedded(report, folder, limit=12_000)["files"]
    assert isinstance(files, dict)
    embedded = {path for path, place in files.items() if isinstance(place, int)}
    assert 0 < len(embedded) < len(files)
    assert all("audio not embedded: " in files[path] for path in files.keys() - embedded)
    worst = max(report.items, key=lambda row: abs(row.gap or 0))
    assert worst.asks[Condition.S2T].clips[0] in embedded


@pytest.mark.parametrize("margins", [{"a": 1.0, "b": -1.0}, {"a": "crashed", "b": "crashed"}, {}])
def test_small_and_failed_runs_are_shown_too(margins: dict[str, float | str]) -> None:
    report = degradation(results([item("a"), item("b")] if margins else [], scored(T, margins)))
    assert report.headline in html.render(report, Path("nowhere"))
    assert report.headline.split(":")[0] in printed(report)
