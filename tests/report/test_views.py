"""The views: complete, self-contained, and inert whatever a run holds."""

import base64
import hashlib
import io
import json
import re
import time
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import pytest
from rich.console import Console

from speechzoo.asks import ReplyAnswer
from speechzoo.audio import AudioClip
from speechzoo.gap import Report, compare, degradation
from speechzoo.registry import Published
from speechzoo.report import audio_store, html, json_file, plots
from speechzoo.report.terminal import print_comparison, print_report
from speechzoo.run.records import Key, MetricInfo, RunItem, ShownAsk
from speechzoo.specs import Condition
from speechzoo.task import Grade
from tests.report.factory import (
    ACCURACY,
    CT,
    ERROR_RATE,
    SS,
    T0,
    TS,
    C,
    S,
    T,
    full_run,
    item,
    put,
    results,
    run_file,
    scored,
    tone,
    valued,
    with_model_name,
    with_seconds,
    with_speech_continuations,
    with_values,
)

ASK = ShownAsk(text="[audio]")

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
    other = Published(
        system=HOSTILE, condition=Condition.S2T, metric="accuracy", value=0.5, source=HOSTILE, note=HOSTILE
    )
    run = run.model_copy(update={"task": run.task.model_copy(update={"published": (other,)})})
    names = [f"{HOSTILE}{place}" for place in range(4)]
    items = [item(name, **{HOSTILE: f"{HOSTILE}{place % 2}"}) for place, name in enumerate(names)]
    key = Key(role="model", item=names[0], condition=Condition.S2S)
    spoken = dict([put(key, ReplyAnswer(HOSTILE), Grade({"accuracy": 1.0}, details={HOSTILE: HOSTILE}))])
    speech = {name: HOSTILE if name == names[3] else 1.0 for name in names}
    return degradation(
        results(items, scored(T, dict.fromkeys(names, 1.0)), scored(S, speech), spoken, run=run)
    )


@pytest.fixture(scope="module")
def complete() -> Report:
    """Every table that a report can have, at the size of a benchmark's numbers."""
    names = [f"i{place:05d}" for place in range(1_200)]
    extra = ("accuracy_unconditional", "accuracy_character")
    metrics = [ACCURACY, *(ACCURACY.model_copy(update={"name": name}) for name in extra), ERROR_RATE]
    run = run_file(metrics=metrics)
    rows = [
        Published(
            system=system, subset=subset, condition=condition, metric="accuracy", value=0.796, source=source
        )
        for system, source in (("Baichuan-Audio, two stage", "arXiv:2502.17239, Table 5"), ("TWIST", "there"))
        for subset in ("stories", "")
        for condition in (Condition.T2T, Condition.S2T)
    ]
    task = run.task.model_copy(update={"published": tuple(rows), "changed": {"cmmlu_metric": "four_way"}})
    run = run.model_copy(update={"task": task})
    items = [
        with_seconds(
            item(name, subset=("stories", "choices")[place % 2], voice=f"v{place % 3}"), 2 + place / 100
        )
        for place, name in enumerate(names)
    ]
    stages = []
    for place, stage in enumerate((T0, T, S, CT, C, TS, SS)):
        made = scored(
            stage, {name: -1.0 if (n * 7 + place) % 9 < place else 1.0 for n, name in enumerate(names)}
        )
        for metric in (*extra, "error_rate"):
            made = with_values(made, metric, {name: float(n % 5 > 0) for n, name in enumerate(names)})
        stages.append(made)
    stages.append(scored(T, {name: float(place % 3 - 1) for place, name in enumerate(names)}, "prior"))
    return degradation(results(map(with_speech_continuations, items), *stages, run=run))


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
        "of use?",
        "too_long",
        "by voice",
    ):
        assert words in text
    assert report.run.signature in text
    assert "\x1b" not in text


def test_every_table_fits_into_eighty_columns_with_every_digit(complete: Report) -> None:
    """Otherwise: a number loses its last digits, or its interval, in the terminal it is copied from."""
    text = printed(complete)
    assert max(len(line) for line in text.splitlines() if line != complete.run.signature) <= 80
    assert "…" not in text
    for words in (
        "every metric: hearing and thinking",
        "every metric: hearing and thinking, speech continuations",
        "accuracy_unconditional, %",
        "stories, s2t: accuracy, %, published and measured",
        "this run: tiny-speech-lm",
        "measured with cmmlu_metric=four_way",
        "stories: a run like this finds a loss of",
        "published: TWIST",
        "by subset",
        "by seconds of speech",
        "T - S: a run like this finds a loss of",
        "TS - SS: a run like this finds a loss of",
        "p values of groups are not adjusted",
        "note: Values over all items pool 2 subsets",
    ):
        assert words in " ".join(text.split()), words
    hearing = complete.steps[complete.main or 0]
    rows = [line.split() for line in text.splitlines()]
    for group in complete.breakdowns[0].groups:
        assert [group.label, str(group.items)] in rows
        assert group.prior is not None
        for name, estimate in [*group.values.items(), ("prior", group.prior)]:
            assert [name, f"{100 * estimate.value:.1f}"] in [row[:2] for row in rows]
    assert [hearing.first, "-", hearing.second] in [row[:3] for row in rows]


def test_the_page_shows_every_table(complete: Report) -> None:
    """Otherwise: what only report.json holds is not read."""
    page = html.render(complete, Path("nowhere"))
    for words in (
        "By every metric",
        "accuracy_unconditional, %",
        "Published and measured",
        "arXiv:2502.17239, Table 5",
        "by subset",
        "a run like this one finds a loss of",
        "neither they nor the p values are adjusted",
        "speech in, speech continuations scored",
        "measured with cmmlu_metric=four_way",
        "stories: a run like this one finds a loss of",
        '<th scope="col" class="n">prior</th>',
        "pool 2 subsets",
    ):
        assert words in page, words
    for row in complete.metrics:
        for estimate in row.values.values():
            digits = f"{100 * estimate.value:.1f}" if row.percent else f"{estimate.value:.2f}"
            assert f"<strong>{digits}</strong>" in page


def test_a_stage_is_drawn_against_the_one_it_loses_from(complete: Report) -> None:
    """Otherwise: the waterfall shows a fall between values that are not comparable."""
    values = {stage.name: stage.estimate.value for stage in complete.stages if stage.estimate}
    before = {bar.stage.name: bar.before for bar in plots.stage_plot(complete).bars}
    assert list(before) == ["T0", "T", "S", "CT", "C", "TS", "SS"]
    assert before["C"] == values["CT"]
    assert before["SS"] == values["TS"], "not S, which is scored over text tokens"
    assert before["T0"] is before["CT"] is before["TS"] is None
    assert before["S"] == values["T"]


def test_a_stage_is_one_line_in_eighty_columns() -> None:
    """Otherwise: the table that people paste is torn apart where they paste it."""
    names = [f"i{place:05d}" for place in range(1_000)]
    stages = [
        scored(stage, dict.fromkeys(names, 1.0), wers=dict.fromkeys(names, 0.1))
        for stage in (T0, T, ("model", Condition.T2S), S, SS, C)
    ]
    items = [item(name).model_copy(update={"asks": dict.fromkeys(Condition, ASK)}) for name in names]
    lines = [line.rstrip() for line in printed(degradation(results(items, *stages))).splitlines()]
    start = next(place for place, line in enumerate(lines) if "heard WER" in line) + 2
    assert [line.split()[0] for line in lines[start : start + 6]] == ["T0", "T", "TS", "S", "SS", "C"]
    assert all(line.endswith(" 10.0") and "1000/1000" in line for line in lines[start : start + 6])


def test_the_terminal_obeys_nothing_from_a_run(hostile: Report) -> None:
    out = io.StringIO()
    print_report(hostile, Console(file=out, width=200, force_terminal=True, color_system=None))
    text = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue().replace("\x1b[31m", "BAD"))
    assert "BAD" not in text
    assert not set("\x1b\u2028\u202e") & set(text)
    assert "[bold]" in text


def test_subsets_of_a_single_stage_have_no_columns_of_a_step() -> None:
    """Otherwise: half of the table is empty."""
    items = [item(name, subset=name[0]) for name in ("a1", "a2", "b1", "b2")]
    made = scored(T, {own.id: 1.0 for own in items})
    text = printed(degradation(results(items, made)))
    heading = next(line for line in text.splitlines() if line.startswith("by subset"))
    assert heading.split() == ["by", "subset", "n", "value", "95", "%", "interval"]
    both = printed(degradation(results(items, made, scored(S, {own.id: 1.0 for own in items}))))
    assert "gained" in next(line for line in both.splitlines() if line.startswith("by subset"))


def test_only_a_run_that_can_be_run_again_says_so(report: Report) -> None:
    """Otherwise: whoever follows the page to an imported result is led to an error."""
    told = "speechzoo eval --signature"
    assert told in html.render(report, Path("nowhere"))
    model = report.run.systems["model"].model_copy(update={"dtype": "unknown"})
    run = report.run.model_copy(update={"systems": {**report.run.systems, "model": model}})
    assert told not in html.render(report.model_copy(update={"run": run}), Path("nowhere"))


def test_a_comparison_says_which_subset_a_table_is_of() -> None:
    """Otherwise: three tables of one condition look like a mistake."""
    items = [item(name, subset=name[0]) for name in ("a1", "a2", "b1", "b2")]
    one = results(items, scored(T, {own.id: 1.0 for own in items}))
    # Only some pairs have a sign-flip p: a column more must not push the others aside.
    two = with_model_name(results(items, valued(T, {own.id: 0.5 for own in items})), "halves", "two")
    three = with_model_name(one, "third", "three")
    out = io.StringIO()
    print_comparison(compare([one, two, three]), Console(file=out, width=120))
    lines = [" ".join(line.split()) for line in out.getvalue().splitlines()]
    for title in ("t2t: over 4 items", "t2t, a: over 2 items", "t2t, b: over 2 items"):
        assert any(line.startswith(title) for line in lines), title
    row = next(line for line in lines if line.startswith("tiny-speech-lm against third") and "–" in line)
    assert row.endswith("1.000 – 1.000")
    assert any("t2t: Values over all items pool 2 subsets" in line for line in lines)


def test_a_comparison_is_printed(report: Report, folder: Path) -> None:
    run = full_run(folder, n=20)
    out = io.StringIO()
    print_comparison(compare([run, with_model_name(run, "other[bold]", "b")]), Console(file=out, width=80))
    assert "other[bold]" in out.getvalue()
    assert "no difference shown, the interval holds 0" in " ".join(out.getvalue().split())
    assert max(map(len, out.getvalue().splitlines())) <= 120  # signatures are never wrapped


def test_json_is_the_whole_report(report: Report, hostile: Report) -> None:
    for one in (report, hostile):
        assert json_file.read(json_file.render(one)) == one
    assert json.loads(json_file.render(hostile))["run"]["signature"] == HOSTILE


def test_a_length_is_neither_better_nor_worse(tmp_path: Path) -> None:
    """Otherwise: the page says that longer replies are better, and calls shorter ones a loss."""
    length = MetricInfo(name="reply_seconds", chance=None, higher_is_better=None, low=0.0, high=None)
    run = run_file(metrics=[ACCURACY, length])
    grades = {S: {"accuracy": 1.0, "reply_seconds": 9.0}, SS: {"accuracy": 0.0, "reply_seconds": 4.0}}
    found = degradation(
        results(
            [item(f"i{n}") for n in range(8)],
            *(
                dict(
                    put(Key(role=role, item=f"i{n}", condition=condition), ReplyAnswer("a"), Grade(values))
                    for n in range(8)
                )
                for (role, condition), values in grades.items()
            ),
            run=run,
        )
    )
    accuracy, seconds = found.metrics
    assert accuracy.loss is not None and accuracy.loss.value == 1.0
    assert seconds.loss is None and seconds.values["S"].value == 9.0
    page = html.render(found, tmp_path)
    assert "neither better nor worse" in page and page.count("higher is better") == 1


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
        found = audio_store.embedded(audio_store.paths_of(report), folder)
    finally:
        lost.write_bytes(kept)
    files, clips = found["files"], found["clips"]
    assert isinstance(files, dict)
    assert isinstance(clips, list)
    assert "audio cannot be read" in files[str(lost)]
    kind, _, data = clips[files["audio/story-000.flac"]].partition(";base64,")
    assert kind == "data:audio/flac" and base64.b64decode(data).startswith(b"fLaC")
    assert len(clips) == len({place for place in files.values() if isinstance(place, int)})


def test_the_audio_budget_is_spent_on_the_largest_gaps(report: Report, folder: Path) -> None:
    files = audio_store.embedded(audio_store.paths_of(report), folder, limit=12_000)["files"]
    assert isinstance(files, dict)
    embedded = {path for path, place in files.items() if isinstance(place, int)}
    assert 0 < len(embedded) < len(files)
    assert all("audio not embedded: " in files[path] for path in files.keys() - embedded)
    worst = max(report.items, key=lambda row: abs(row.gap or 0))
    assert worst.asks[Condition.S2T].clips[0] in embedded


def test_relative_paths_are_the_runs_and_clips_are_told_apart(tmp_path: Path) -> None:
    """Otherwise: an item plays another item's recording, or a file that lies where the command was run."""
    one, two = (tone(tmp_path / "run" / "audio" / f"{hertz}.flac", hertz) for hertz in (300, 400))
    key = Key(role="model", item="b", condition=Condition.S2S)
    spoken = dict([put(key, ReplyAnswer("x", AudioClip.from_bytes(two.encoded())), Grade({"accuracy": 1.0}))])
    (tmp_path / "run" / "audio" / "400.flac").rename(tmp_path / "run" / "audio" / f"{two.digest}.flac")
    asked = [_asking(item(name), clip) for name, clip in (("a", "audio/300.flac"), ("b", str(one.data)))]
    found = audio_store.embedded(audio_store.paths_of(degradation(results(asked, spoken))), tmp_path / "run")
    files, clips = found["files"], found["clips"]
    assert isinstance(files, dict)
    assert isinstance(clips, list)
    assert files == {"audio/300.flac": 0, str(one.data): 0, f"audio/{two.digest}.flac": 1}
    assert len(set(clips)) == 2


def _asking(own: RunItem, clip: str) -> RunItem:
    asks = {c: ask.model_copy(update={"clips": (clip,)}) for c, ask in own.asks.items() if ask.clips}
    return own.model_copy(update={"asks": asks})


def test_a_page_of_thousands_of_items_stays_small() -> None:
    """Otherwise: the page of a full benchmark takes a browser down."""
    names = [f"i{place:05d}" for place in range(6_000)]
    text, speech = dict.fromkeys(names, 1.0), {name: 1.0 if name < "i05900" else -1.0 for name in names}
    report = degradation(results(map(item, names), scored(T, text), scored(S, speech)))
    start = time.process_time()
    page = html.render(report, Path("nowhere"))
    assert time.process_time() - start < 8  # about 1 s of an idle core
    shown = [row["id"] for row in json.loads(Page(page).scripts["data"])["body"]["items"]]
    assert len(shown) == 5_000
    assert shown[-100:] == names[-100:], "the lost ones are all there"
    assert "This page has 5,000 items, those that changed most; 1,000 are left out." in page
    assert len(page) < 12_000_000
    assert len(json_file.read(json_file.render(report)).items) == 6_000


@pytest.mark.parametrize("margins", [{"a": 1.0, "b": -1.0}, {"a": "crashed", "b": "crashed"}, {}])
def test_small_and_failed_runs_are_shown_too(margins: dict[str, float | str]) -> None:
    report = degradation(results([item("a"), item("b")] if margins else [], scored(T, margins)))
    assert report.headline in html.render(report, Path("nowhere"))
    assert report.headline.split(":")[0] in printed(report)
