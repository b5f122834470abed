"""A recogniser beside the model: every clip once, its failures told, nothing else touched."""

import multiprocessing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from speechzoo import AudioClip, Condition, SpeechzooError
from speechzoo.catalogue import open_catalogue
from speechzoo.errors import StoreError
from speechzoo.loading import Component
from speechzoo.run.evaluate import evaluate
from speechzoo.run.listen import TranscriptCache, hear
from speechzoo.run.progress import Silent
from speechzoo.run.records import Results, TranscriptRecord
from speechzoo.run.request import Request
from speechzoo.run.results import read_results
from speechzoo.run.store import read_lines
from tests.run.in_process import InProcess

COUNT = 30


class Told(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []
        self.stages: list[tuple[str, int, int]] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def stage(self, name: str, total: int, done: int) -> None:
        self.stages.append((name, total, done))


@pytest.fixture(autouse=True)
def cache(instrument: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPEECHZOO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def ears(**settings: object) -> Component:
    return open_catalogue().service("instrument-ears", {name: str(v) for name, v in settings.items()})


def run(
    folder: Path,
    transcriber: Component | None,
    conditions: tuple[Condition, ...] | None = (Condition.T2T, Condition.S2T),
    **settings: object,
) -> tuple[Results, Told]:
    catalogue, told = open_catalogue(), Told()
    request = Request(
        systems={"model": catalogue.model("instrument")},
        task=catalogue.task("arithmetic", {"count": COUNT, **settings}),
        transcriber=transcriber,
        conditions=conditions,
        out=folder,
    )
    evaluate(request, catalogue.plugins, told, InProcess)
    return read_results(folder), told


def test_every_item_that_is_heard_has_an_error_rate(tmp_path: Path) -> None:
    """Otherwise: nobody can tell whether a loss stands with the items that are hard to understand."""
    found, told = run(tmp_path / "run", ears())
    # 'a bone' for 'a tone' is one word of two.
    assert set(found.audio_wer) == set(found.items) and set(found.audio_wer.values()) == {0.0, 0.5}
    assert ("listening (instrument-ears)", COUNT, 0) in told.stages
    assert found.run.transcriber is not None and found.run.transcriber["name"] == "instrument-ears"


def test_a_clip_is_transcribed_once_ever(tmp_path: Path) -> None:
    """Otherwise: each model that is measured costs the recogniser again, hours on a large data set."""
    log = tmp_path / "log"
    first, _ = run(tmp_path / "one", ears(log=log))
    second, told = run(tmp_path / "two", ears(log=log))
    assert len(log.read_text().splitlines()) == COUNT
    assert first.audio_wer == second.audio_wer
    assert ("listening (instrument-ears)", COUNT, COUNT) in told.stages


def test_it_decides_no_score(tmp_path: Path) -> None:
    """Otherwise: listening makes a run incomparable, or one that was begun without cannot be taken up."""
    without, _ = run(tmp_path / "run", None)
    assert without.audio_wer == {} and without.run.transcriber is None
    answers, grades = ((tmp_path / "run" / f"{name}.jsonl").read_bytes() for name in ("answers", "grades"))
    listened, _ = run(tmp_path / "run", ears())
    assert len(listened.audio_wer) == COUNT
    assert (listened.run.fingerprint, listened.run.signature) == (
        without.run.fingerprint, without.run.signature
    )  # fmt: skip
    assert (tmp_path / "run" / "answers.jsonl").read_bytes() == answers
    assert (tmp_path / "run" / "grades.jsonl").read_bytes() == grades


def test_what_was_heard_stays_when_no_transcriber_is_asked_for(tmp_path: Path) -> None:
    """Otherwise: a run that is taken up again loses what a recogniser listened to for hours."""
    listened, _ = run(tmp_path / "run", ears(), count=20)
    again, _ = run(tmp_path / "run", None, count=25)
    assert again.run.transcriber == listened.run.transcriber is not None
    assert again.audio_wer == listened.audio_wer and len(again.items) == 25
    other, _ = run(tmp_path / "run", ears(fault="fail"), count=25)
    assert other.run.transcriber is not None and other.run.transcriber["parameters"]["fault"] == "fail"
    assert set(other.audio_wer) < set(other.items) and set(other.audio_wer.values()) == {0.0}


def test_what_was_heard_of_other_clips_is_not_kept(tmp_path: Path) -> None:
    """Otherwise: items that are recorded anew are sorted by how hard the old recordings were."""
    run(tmp_path / "run", ears())
    again, _ = run(tmp_path / "run", None, wording="makes")
    assert again.audio_wer == {} and not (tmp_path / "run" / "transcripts.jsonl").exists()


@pytest.mark.parametrize(("fault", "reason"), [("fail", "unclear"), ("raise", "model_error")])
def test_a_clip_that_fails_fails_alone(tmp_path: Path, fault: str, reason: str) -> None:
    """Otherwise: one bad clip ends a run whose answers are all there, or has an error rate of zero."""
    found, told = run(tmp_path / "run", ears(fault=fault))
    good, _ = run(tmp_path / "good", ears())
    records = list(read_lines(tmp_path / "run" / "transcripts.jsonl", TranscriptRecord))
    failed = {record.item for record in records if record.failure == reason}
    hard = {item for item, rate in good.audio_wer.items() if rate > 0}
    assert failed == hard and set(found.audio_wer) == set(found.items) - hard
    assert any(f"{len(hard)} clips could not be transcribed ({len(hard)} {reason})" in t for t in told.said)


def test_failures_are_tried_again(tmp_path: Path) -> None:
    """Otherwise: one bad night with a card marks clips as unintelligible for good."""
    log = tmp_path / "log"
    run(tmp_path / "run", ears(log=log, fault="fail"))
    before = len(log.read_text().splitlines())
    found, _ = run(tmp_path / "run", ears(log=log, fault="fail"))
    assert len(log.read_text().splitlines()) - before == COUNT - len(found.audio_wer) > 0


def test_only_what_is_heard_is_listened_to(tmp_path: Path) -> None:
    """Otherwise: a run on text waits for a recogniser, or writes error rates of nothing."""
    found, told = run(tmp_path / "run", ears(), (Condition.T2T,))
    assert found.audio_wer == {} and ("listening (instrument-ears)", 0, 0) in told.stages


def test_another_transcriber_has_a_cache_of_its_own(tmp_path: Path) -> None:
    """Otherwise: the transcripts of a small recogniser are reported as those of a large one."""
    one, other = TranscriptCache(ears(), "cpu"), TranscriptCache(ears(fault="fail"), "cpu")
    assert len({one.path, other.path, TranscriptCache(ears(), "cuda").path}) == 3
    assert TranscriptCache(ears(), "cuda:0").path == TranscriptCache(ears(), "cuda:1").path


def test_a_clip_is_heard_in_its_language(cache: Path, tmp_path: Path) -> None:
    """Otherwise: a clip that was once heard as English is reported as misunderstood in its own language."""
    log = tmp_path / "log"
    plain = AudioClip.from_samples(0.1 * np.sin(np.arange(8_000, dtype=np.float32)), 16_000, "English")
    clips = [plain, replace(plain, language="de"), replace(plain, language="fr"), plain]
    hear(ears(log=log), clips[:1], "cpu", Silent())
    assert len(hear(ears(log=log), clips, "cpu", Silent())) == 4
    assert len(log.read_text().splitlines()) == 3
    kept = TranscriptCache(ears(log=log), "cpu").read()
    assert set(kept) == {plain.digest, f"{plain.digest}:de", f"{plain.digest}:fr"}


def test_a_voice_is_refused(tmp_path: Path) -> None:
    """Otherwise: it is found out after the model has answered for a night."""
    with pytest.raises(SpeechzooError, match="instrument-mouth is a voice, it has to be a transcriber"):
        run(tmp_path / "run", open_catalogue().service("instrument-mouth"))
    assert not (tmp_path / "run").exists()


def _add(number: int) -> None:
    cache = TranscriptCache(ears(), "cpu")
    for n in range(40):
        cache.add({f"{number}-{n}": f"text {number} {n} " * 40})


def test_runs_at_the_same_time_share_a_cache(cache: Path) -> None:
    """Otherwise: two jobs of one array write into each other's lines, and both fail from then on."""
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_add, args=(number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * 4
    assert TranscriptCache(ears(), "cpu").read() == {
        f"{number}-{n}": f"text {number} {n} " * 40 for number in range(4) for n in range(40)
    }


def test_a_line_cut_by_a_kill_is_dropped(cache: Path) -> None:
    """Otherwise: one killed run makes the transcripts of every later one unreadable."""
    shared = TranscriptCache(ears(), "cpu")
    shared.add({"a": "one", "b": "two"})
    shared.path.write_bytes(shared.path.read_bytes()[:-9])
    assert shared.read() == {"a": "one"}
    shared.add({"c": "three"})
    assert shared.read() == {"a": "one", "c": "three"}


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise: a full or read-only cache ends in a traceback."""
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SPEECHZOO_CACHE", str(tmp_path / "file"))
    with pytest.raises(StoreError, match=r"transcripts.*cannot be written"):
        TranscriptCache(ears(), "cpu").add({"a": "one"})
