"""The command, with a parrot for a voice: what is made, what is left out, what a kill costs."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from speechzoo import AudioClip

from speechzoo_synth.gate import Gate, Way

PLAIN = [f"Question number {number}?" for number in range(8)]


def test_the_folder_is_what_the_spoken_task_reads(synth, questions, made, tmp_path: Path) -> None:
    """Otherwise: what was spoken for a night cannot be evaluated."""
    rows = [
        {
            "id": "year",
            "question": "What happened in 1984?",
            "answers": ["much"],
            "attributes": {"topic": "h"},
        },
        {"id": "which", "question": "Which one?", "options": ["red", "5%"], "correct": "B"},
    ]
    synth(str(questions(rows)), "--licence", "CC0-1.0")
    out = made()
    assert (out.manifest["format"], out.manifest["version"]) == ("speechzoo-spoken-items", 1)
    year, which = out.rows["year"], out.rows["which"]
    assert year["spoken"] == "What happened in nineteen eighty-four?"
    assert (year["question"], year["answers"]) == ("What happened in 1984?", ["much"])
    assert (year["attributes"], year["voice"], year["wer"]) == ({"topic": "h"}, "parrot", 0.0)
    assert which["spoken"] == "Which one? A, red. B, five percent"
    assert (which["question"], which["options"], which["correct"]) == (
        "Which one?\nA. red\nB. 5%", ["red", "5%"], 1
    )  # fmt: skip
    assert "flags" not in year and "channel" not in year
    files = out.manifest["files"]
    assert set(files) == {"items.jsonl", year["audio"], which["audio"]}
    for name, expected in files.items():
        assert hashlib.sha256((tmp_path / "out" / name).read_bytes()).hexdigest() == expected
    assert year["audio"] == f"audio/{files[year['audio']]}.flac"
    assert out.manifest["voices"]["parrot"]["licence"] == "unknown"
    assert out.manifest["source"]["licence"] == "CC0-1.0"


def test_what_cannot_be_spoken_is_counted_and_listed(synth, questions, made) -> None:
    """Otherwise: the spoken arm covers other items than the text arm, and nobody knows."""
    texts = ["Fine?", "See https://example.com/a", "```\nx = 1\n```", "Что?", "word " * 300]
    done = synth(str(questions(texts)), "--longest", "20")
    assert "1 items of 5 documents" in done.stdout and "4 left out" in done.stdout
    assert "1 URL, 1 code, 1 other script, 1 too long" in done.stdout
    assert {one["id"]: one["reason"] for one in made().manifest["left_out"]} == {
        "2": "URL", "3": "code", "4": "other script", "5": "too long"
    }  # fmt: skip


def test_the_gate_makes_again_and_flags(synth, questions, made, tmp_path: Path) -> None:
    """Otherwise: clips that nobody can understand count as the model's deafness."""
    synth(str(questions(["All good?", "This is mumbled?", "Pure gibberish, truly?"])))
    good, mumbled, hopeless = made().rows.values()
    assert (good["wer"], good.get("flags")) == (0.0, None)
    assert (mumbled["wer"], mumbled["flags"]) == (0.0, ["made again slower"])
    assert hopeless["wer"] > 0.25 and "unintelligible" in hopeless["flags"]
    counts = made().manifest["counts"]
    assert (counts["items"], counts["made_again"], counts["unintelligible"]) == (3, 1, 1)
    log = (tmp_path / "spoken.log").read_text()
    assert "0.85 Pure gibberish, truly?" in log and "1.0 Pure gibberish. truly?" in log
    assert "0.85 All good?" not in log


@pytest.mark.parametrize(
    ("spoken", "heard"),
    [
        ("The U S has fifty states", "The US has 50 states."),
        ("nine fifteen a m", "9.15 a.m."),
        ("five percent of three dollars and fifty cents", "5% of $3.50"),
        ("What colour is it?", "what color is it"),
        ("World War two began", "World War II began."),
    ],
)
def test_another_way_of_writing_is_no_error(spoken: str, heard: str) -> None:
    """Otherwise: clips that were understood are spoken again and flagged, for how a transcriber writes."""
    gate = Gate(transcriber=None, limit=0.25, language="en", device="cpu")
    assert gate.wer(spoken, heard) == 0


def test_silence_around_a_clip_costs_no_synthesis() -> None:
    """Otherwise: clips whose first word was cut short are spoken anew, or flagged."""
    spoken = AudioClip.from_samples(np.full(16_000, 0.5, np.float32), 16_000, "hello")
    padded = Way("after a pause", voice=None, silence=0.3).clip(spoken)
    assert padded.seconds == pytest.approx(1.6) and padded.transcript == "hello"
    samples = padded.samples()
    assert not samples[:4_800].any() and not samples[-4_800:].any() and samples[4_800:-4_800].all()


def test_a_voice_without_parameters_has_fewer_ways(synth, questions, made, tmp_path: Path) -> None:
    """Otherwise: a voice of another plugin is given parameters that it does not have."""
    synth(str(questions(["This is mumbled?"])), "--voice", "parrot-plain")
    assert made().rows["1"]["flags"] == ["unintelligible"]
    assert len((tmp_path / "spoken.log").read_text().splitlines()) == 1


def test_a_channel_comes_after_the_gate(synth, questions, made) -> None:
    """Otherwise: noise that was asked for counts as a fault of the voice and is taken out again."""
    synth(str(questions(PLAIN)), "--channel", "none", "--channel", "snr=0", "--assign", "each")
    out = made()
    assert len(out.rows) == 2 * len(PLAIN)
    clean, noisy = out.rows["1"], out.rows["1@snr=0,noise=white"]
    assert noisy["channel"] == "snr=0,noise=white" and "channel" not in clean
    assert (clean["wer"], noisy["wer"]) == (0.0, 0.0) and noisy["channel_wer"] > 0.3
    assert "flags" not in noisy and clean["audio"] != noisy["audio"]
    assert out.manifest["counts"]["documents"] == len(PLAIN)


def test_a_channel_that_nobody_understands_costs_no_row(synth, questions, made) -> None:
    """Otherwise: the hardest clips of a noisy data set are missing, and noise looks harmless."""
    synth(str(questions(PLAIN)), "--channel", "snr=0", PARROT_DEAF_TO_NOISE="1")
    out = made()
    assert len(out.rows) == len(PLAIN) and out.manifest["left_out"] == []
    for row in out.rows.values():
        assert (row["wer"], row["channel_wer"]) == (0.0, None)
        assert row["flags"] == ["unheard through the channel"]
    assert out.manifest["counts"]["unheard_through_channel"] == len(PLAIN)
    assert out.manifest["counts"]["made_again"] == 0


def test_other_languages_are_heard_as_such(synth, questions, made, tmp_path: Path) -> None:
    """Otherwise: German clips are transcribed as English, made again and flagged."""
    source = str(questions(["Im Jahr 1984?"]))
    synth(source, "--language", "de", "--channel", "none", "--channel", "snr=20", "--assign", "each")
    heard = (tmp_path / "heard.log").read_text().splitlines()
    assert len(heard) == 2 and all(line.startswith("de ") for line in heard)
    [row, _] = made().rows.values()
    assert (row["language"], row["spoken"], row["wer"]) == ("de", "Im Jahr 1984?", 0.0)


def test_the_manifest_tells_what_was_chosen_by_whom(synth, questions, made) -> None:
    """Otherwise: nobody knows that a model with the same ears is favoured, nor by how much."""
    done = synth(str(questions(["All good?", "This is mumbled?"])))
    counts = made().manifest["counts"]
    assert counts["wer_mean"] == 0.0 < counts["first_take_wer_mean"]
    assert "parrot-ears chose the one" in made().manifest["chosen_by"]
    assert "parrot-ears chose these clips" in done.stdout and "before any was made again" in done.stdout


def test_other_rules_of_reading_make_another_data_set(
    synth, questions, made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise: clips of old rules are called finished under new ones."""
    source = str(questions(PLAIN))
    synth(source)
    assert set(made().manifest["settings"]["packages"]) == {"speechzoo-synth", "speechzoo", "num2words"}
    monkeypatch.setattr("speechzoo_synth.synthesis.read_aloud", lambda text, language: f"well {text}")
    assert "holds another data set (source differ)" in synth(source, code=2).stderr


def test_several_jobs_make_the_same_folder(synth, questions, made, tmp_path: Path) -> None:
    """Otherwise: a data set depends on how many processes made it."""
    source = str(questions([f"Question number {number}?" for number in range(18)]))
    synth(source, "--out", "one")
    shutil.rmtree(tmp_path / "cache")
    synth(source, "--out", "two", "--jobs", "2")
    manifests = [(tmp_path / name / "manifest.json").read_bytes() for name in ("one", "two")]
    assert manifests[0] == manifests[1] and len(made("two").rows) == 18


def test_what_is_finished_is_left_alone(synth, questions, tmp_path: Path) -> None:
    """Otherwise: a second call costs the first one's hours, or changes a data set that is in use."""
    source = str(questions(PLAIN))
    synth(source)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.*")}
    (tmp_path / "spoken.log").unlink()
    done = synth(source)
    assert "finished, nothing was done" in done.stdout and not (tmp_path / "spoken.log").exists()
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.*")}


def test_another_data_set_is_refused(synth, questions, tmp_path: Path) -> None:
    """Otherwise: a folder that results were made of becomes another under the same name."""
    synth(str(questions(PLAIN)))
    before = (tmp_path / "out" / "manifest.json").read_bytes()
    told = synth(str(questions(PLAIN[:4])), code=2).stderr
    assert "holds another data set (source differ" in told
    assert "settings" in synth(str(questions(PLAIN)), "--seed", "1", code=2).stderr
    assert (tmp_path / "out" / "manifest.json").read_bytes() == before


def test_damage_is_mended(synth, questions, tmp_path: Path) -> None:
    """Otherwise: a folder that lost a file, or has a broken one, is called finished."""
    source = str(questions(PLAIN))
    synth(source)
    manifest = (tmp_path / "out" / "manifest.json").read_bytes()
    lost, broken, *_ = (tmp_path / "out" / "audio").iterdir()
    content = broken.read_bytes()
    lost.unlink()
    broken.write_bytes(content[:100])
    assert "is made again" in synth(source).output
    assert lost.exists() and broken.read_bytes() == content
    assert "nothing was done" in synth(source).output
    assert (tmp_path / "out" / "manifest.json").read_bytes() == manifest


def test_a_kill_costs_nothing_that_was_spoken(synth, start, questions, tmp_path: Path) -> None:
    """Otherwise: a night's work is lost, or the data set depends on when it was killed."""
    source = str(questions([f"Question number {number}?" for number in range(40)]))
    synth(source, "--out", "whole")
    shutil.rmtree(tmp_path / "cache")
    log = tmp_path / "spoken.log"
    log.unlink()
    process = start(source, "--out", "killed", PARROT_DELAY="0.05")
    deadline = time.monotonic() + 60
    while not log.exists() or len(log.read_text().splitlines()) < 20:
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "killed" / "manifest.json").exists()
    synth(source, "--out", "killed")
    # The eight of one call may be spoken twice.
    assert len(log.read_text().splitlines()) <= 48
    manifests = [(tmp_path / name / "manifest.json").read_bytes() for name in ("whole", "killed")]
    assert manifests[0] == manifests[1]


def test_a_failure_is_an_outcome_and_tried_again(synth, questions, made) -> None:
    """Otherwise: one text that a voice cannot say ends the work, or is lost without a word."""
    source = str(questions([*PLAIN, "a poison question?"]))
    done = synth(source, code=1)
    assert "1 items failed" in done.stderr and len(made().rows) == len(PLAIN)
    [left_out] = made().manifest["left_out"]
    assert (left_out["id"], left_out["reason"], left_out["stage"]) == ("9", "unspeakable", "speech")
    synth(source, PARROT_ANTIDOTE="1")
    assert made().manifest["left_out"] == [] and len(made().rows) == len(PLAIN) + 1


def test_a_clip_that_nobody_could_check_is_left_out(synth, questions, made) -> None:
    """Otherwise: it has an error rate of zero, or of one, that nobody measured."""
    synth(str(questions([*PLAIN, "a deafening question?"])), code=1)
    assert "9" not in made().rows
    assert [one["reason"] for one in made().manifest["left_out"]] == ["unclear"]


def test_nothing_to_speak_is_an_error(synth, questions, tmp_path: Path) -> None:
    """Otherwise: an empty data set is called finished."""
    told = synth(str(questions(["```", "https://example.com"])), code=2).output
    assert "nothing could be spoken: 1 code, 1 URL" in told
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_a_malformed_source_is_refused_before_anything_is_spoken(synth, questions, tmp_path: Path) -> None:
    """Otherwise: an hour later, row 9,000 ends it."""
    rows = [{"question": "Good?", "answers": "yes"}, {"query": "No question?"}]
    assert "questions.jsonl:2: 'question' must be" in synth(str(questions(rows)), code=2).stderr
    twice = [{"id": "a", "question": "One?"}, {"id": "a", "question": "Two?"}]
    assert "stands in line 1 already" in synth(str(questions(twice)), code=2).stderr
    assert not (tmp_path / "spoken.log").exists() and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--voice", "parrot-ears"], "parrot-ears is a transcriber, it has to be a voice"),
        (["--voice", "nobody"], "no service is called 'nobody'"),
        (["--channel", "loud"], "NAME=VALUE"),
        (["--channel", "snr=loud"], "snr=loud is no number"),
        (["--channel", "volume=1"], "no 'volume'"),
    ],
)
def test_what_makes_no_sense_is_told(synth, questions, arguments: list[str], told: str) -> None:
    """Otherwise: it is found out at the end, or in a traceback."""
    done = synth(str(questions(PLAIN)), *arguments, code=2)
    assert told in done.stderr and "Traceback" not in done.stderr


def test_two_at_once_do_not_mix(synth, start, questions, tmp_path: Path) -> None:
    """Otherwise: two jobs write one folder, and its manifest fits neither."""
    source = str(questions(PLAIN))
    start(source, PARROT_DELAY="1")
    while not (tmp_path / "spoken.log").exists():
        time.sleep(0.05)
    assert "in use by another process" in synth(source, code=3).stderr


def test_a_parquet_file_is_read_like_json_lines(synth, questions, made, tmp_path: Path) -> None:
    """Otherwise: most data sets of the hub have to be converted first."""
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = [{"q": "Fine?", "gold": ["yes"], "topic": "x"}, {"q": "Good?", "gold": ["no"], "topic": "y"}]
    parquet.write_table(arrow.Table.from_pylist(rows), tmp_path / "rows.parquet")
    synth("rows.parquet", "--question", "q", "--answers", "gold", "--attribute", "topic")
    assert [row["answers"] for row in made().rows.values()] == [["yes"], ["no"]]
    assert made().rows["2"]["attributes"] == {"topic": "y"}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def test_the_hub_is_asked_only_if_that_is_wanted(synth, hub: Path) -> None:
    """Otherwise: an offline machine waits for a hub, or a branch that moves decides what is spoken."""
    assert "say --online" in synth(f"hf:some/thing@{'0' * 40}", code=3).stderr
    assert "40-digit commit" in synth("hf:some/thing@main", code=2).stderr


def test_a_snapshot_of_the_hub_is_read(synth, made, hub: Path) -> None:
    """Otherwise: a data set that was downloaded for text cannot be spoken."""
    commit = "a" * 40
    folder = hub / "datasets--some--thing" / "snapshots" / commit / "data"
    folder.mkdir(parents=True)
    for part in ("test-0", "test-1", "train-0"):
        (folder / f"{part}.jsonl").write_text(json.dumps({"question": f"Of {part}?", "answers": "x"}) + "\n")
    synth(f"hf:some/thing@{commit}/data/test-*")
    assert {row["question"] for row in made().rows.values()} == {"Of test-0?", "Of test-1?"}
    assert made().manifest["source"]["commit"] == commit


def test_splits_of_the_hub_are_not_mixed(synth, made, hub: Path) -> None:
    """Otherwise: a model is tested on what it was trained with, twice over."""
    commit = "b" * 40
    folder = hub / "datasets--some--thing" / "snapshots" / commit / "data"
    folder.mkdir(parents=True)
    for part in ("test-00000-of-00002", "test-00001-of-00002", "train-00000-of-00001"):
        (folder / f"{part}.jsonl").write_text(json.dumps({"question": f"Of {part}?", "answers": "x"}) + "\n")
    told = synth(f"hf:some/thing@{commit}", code=2).stderr
    assert "several splits" in told and f"hf:some/thing@{commit}/data/test*" in told
    (folder / "train-00000-of-00001.jsonl").unlink()
    synth(f"hf:some/thing@{commit}", "--limit", "1")
    assert made().manifest["source"]["items"] == 2


def test_help_loads_nothing_heavy() -> None:
    """Otherwise: every 'speechzoo list' waits for this package."""
    told = "import sys, speechzoo_synth.plugin; print({'numpy', 'num2words', 'lm_eval'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", told], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout.strip() == "set()"
