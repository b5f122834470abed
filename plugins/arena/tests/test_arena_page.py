"""The page of an arena: one file that loads nothing and obeys nothing of what it shows."""

import base64
import hashlib
import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from plugins.arena.tests.players import arena_of, run_of
from rich.console import Console
from speechzoo.report.audio_store import MAX_BYTES, embedded

from speechzoo_arena.arena_audio import paths_of
from speechzoo_arena.arena_file import ArenaFile
from speechzoo_arena.arena_findings import ArenaReport
from speechzoo_arena.arena_page import render
from speechzoo_arena.arena_report import arena_report
from speechzoo_arena.arena_tables import print_arena
from speechzoo_arena.records import FILE

HOSTILE = '<script>alert(1)</script></script>"><img src=x onerror=alert(2)>\x1b[31m[bold]\u2028=cmd()\u202e'


class Page(HTMLParser):
    """The tags of a page with their attributes, and the text of its scripts and styles by id."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: dict[str, str] = {}
        self._inside: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        own = dict(attrs)
        self.tags.append((tag, own))
        if tag in ("script", "style"):
            self._inside = own.get("id") or tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside is not None:
            self.scripts[self._inside] = self.scripts.get(self._inside, "") + data


@pytest.fixture(scope="module")
def folder(players: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three systems, one of which says what a page must not obey."""
    place = tmp_path_factory.mktemp("arena")
    runs = [run_of(name, place / name) for name in ("middle", "long")]
    runs.append(run_of("short", place / "hostile", says=HOSTILE))
    return arena_of(runs, place / "arena", "moody", condition="s2t", repeats=4)


@pytest.fixture(scope="module")
def report(folder: Path) -> ArenaReport:
    return arena_report(folder)


@pytest.fixture(scope="module")
def hostile(report: ArenaReport) -> ArenaReport:
    """Every name, reason and note is hostile."""
    text = report.model_dump_json()
    for name in ("middle", "moody", "semantic", "chat-3", "counting-ears", "Model A: Moody"):
        text = text.replace(json.dumps(name), json.dumps(HOSTILE + name))
    found = ArenaReport.model_validate_json(text)
    arena = ArenaFile.model_validate(
        {**found.arena.model_dump(), "licence": HOSTILE, "citation": HOSTILE, "notes": (HOSTILE,)}
    )
    told = {"headline": HOSTILE, "notes": (HOSTILE,), "warnings": (HOSTILE,), "arena": arena}
    return found.model_copy(update=told)


def test_the_page_loads_nothing_and_its_policy_names_its_own_code(report: ArenaReport, folder: Path) -> None:
    """Otherwise opening an arena's page could tell somebody, or run what a reply says."""
    text = render(report, folder)
    page = Page(text)
    policy = next(own["content"] for tag, own in page.tags if tag == "meta" and own.get("http-equiv"))
    assert policy is not None and "unsafe" not in policy and "default-src 'none'" in policy
    for name in ("script", "style"):
        digest = base64.b64encode(hashlib.sha256(page.scripts[name].encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy
    assert "innerHTML" not in page.scripts["script"]
    assert "http" not in text.replace("http-equiv", "")
    assert not [
        own
        for _, own in page.tags
        if {"src", "href", "style"} & own.keys() or any(name.startswith("on") for name in own)
    ]


def test_the_page_holds_hostile_content_as_text(hostile: ArenaReport, folder: Path) -> None:
    """Otherwise a system's reply, or a judge's reason, could run in a reader's browser."""
    text = render(hostile, folder)
    page = Page(text)
    assert [tag for tag, _ in page.tags].count("script") == 3
    assert "img" not in [tag for tag, _ in page.tags]
    assert not set("<>&\u2028\u2029") & set(page.scripts["data"] + page.scripts["audio"])
    assert "&lt;script&gt;alert(1)" in text
    outside = text.replace(page.scripts["data"], "").replace(page.scripts["audio"], "")
    assert "\u202e" not in outside
    data = json.loads(page.scripts["data"])
    assert HOSTILE + "chat-3" in data["dialogues"]
    replies = data["dialogues"]["chat-0"]["replies"]["short"]
    assert replies[0]["text"].startswith(HOSTILE)
    assert {own["one"] for own in data["meetings"]} >= {HOSTILE + "middle", "long"}


def test_the_terminal_obeys_nothing_of_an_arena(hostile: ArenaReport) -> None:
    """Otherwise a name could colour, clear or rewrite a reader's terminal."""
    console = Console(width=80, record=True, force_terminal=True, color_system=None)
    with console.capture() as told:
        print_arena(hostile, console)
    assert "\x1b[31m" not in told.get() and "\u202e" not in told.get() and "[bold]" in told.get()


def test_the_page_has_what_it_promises(report: ArenaReport, folder: Path) -> None:
    """Otherwise figures would be in the JSON only."""
    text = render(report, folder)
    for told in (
        "Who is rated best by moody",
        "Who is ahead of whom",
        "By dimension",
        "n = 8",
        "held equal",
        "Turn by turn",
        "content density",
        "Battles and grades",
        "The other order, and once more",
        "Coverage",
        "tokens in",
        "from transcripts alone",
        report.arena.fingerprint,
        "moody does not hear",
    ):
        assert told in text, told
    assert "Published and measured" not in text, "nothing is published of these dialogues"


def test_published_ratings_stand_beside_ones_own(report: ArenaReport, folder: Path) -> None:
    """Otherwise a user of the published data would have to look its table up."""
    # Ratings of the paper belong beside a data set whose registry entry has values of that paper.
    published = [
        {"system": "Moshi", "condition": "s2s", "metric": "satisfied", "value": 0.4, "source": source}
        for source in ("somebody else", "MTalk-Bench, arXiv:2508.18240")
    ]
    whole = json.loads((folder / "arena.json").read_text())
    for count, expected in ((1, False), (2, True)):
        (folder / "arena.json").write_text(json.dumps({**whole, "published": published[:count]}))
        found = arena_report(folder)
        assert (found.published is not None) == expected
        assert ("Step-Audio-Chat" in render(found, folder)) == expected
    (folder / "arena.json").write_text(json.dumps(whole))
    assert found.published is not None
    moshi = [row for row in found.published.rows if (row.system, row.evaluator) == ("Moshi", "human")]
    assert moshi[0].values == {"semantic": 950, "paralinguistic": 970, "ambient": 947, "overall": 956}


def test_each_clip_is_embedded_once_and_a_missing_one_is_said(report: ArenaReport, folder: Path) -> None:
    """Otherwise the page would be too large to open, or a player would silently play nothing."""
    lost = folder / report.dialogues["chat-0"].turns[0].clip
    kept = lost.read_bytes()
    lost.unlink()
    try:
        found = embedded(paths_of(report), folder)
    finally:
        lost.write_bytes(kept)
    files, clips = found["files"], found["clips"]
    assert isinstance(files, dict) and isinstance(clips, list)
    assert "audio cannot be read" in files[report.dialogues["chat-0"].turns[0].clip]
    assert len(files) == 16 and len(clips) == 15 == len(set(clips))
    kind, _, data = clips[0].partition(";base64,")
    assert kind == "data:audio/flac" and base64.b64decode(data).startswith(b"fLaC")


def test_the_audio_budget_goes_to_disputed_battles(report: ArenaReport, folder: Path) -> None:
    """Otherwise a reader could not listen to just those battles that verdicts differ on."""
    disputed = {own.dialogue for own in report.meetings if own.disagree}
    assert 0 < len(disputed) < 8
    size = len(base64.b64decode(embedded(paths_of(report), folder, MAX_BYTES)["clips"][0].partition(",")[2]))  # type: ignore[index]
    files = embedded(paths_of(report), folder, limit=round(2.5 * size))["files"]
    assert isinstance(files, dict)
    kept = {path for path, place in files.items() if isinstance(place, int)}
    first = next(own for own in report.meetings if own.disagree)
    assert kept == {turn.clip for turn in report.dialogues[first.dialogue].turns}
    assert all("audio not embedded" in files[path] for path in files.keys() - kept)


def test_only_failures_is_a_page_too(players: dict[str, str], folder: Path, tmp_path: Path) -> None:
    """Otherwise an arena whose judge never answered would crash the report that should say so."""
    own = tmp_path / "arena"
    own.mkdir()
    for name in ("arena.json", "dialogues.jsonl"):
        (own / name).write_bytes((folder / name).read_bytes())
    empty = arena_report(own)
    assert empty.headline == "No verdicts yet" and "No verdicts yet" in render(empty, own)
    assert not (own / FILE).exists()
