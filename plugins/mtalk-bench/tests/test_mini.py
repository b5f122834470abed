"""The task mtalk-mini: whole, audible, and run from end to end by the embedded stack."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from speechzoo import AudioClip, Condition, Item, Setup, testing
from speechzoo.asks import spoken_text
from speechzoo.registry import read_registry
from speechzoo.run.results import read_results
from speechzoo.task import Grade
from speechzoo.weights import verify_files

import speechzoo_mtalk_bench
from speechzoo_mtalk_bench.plugin import speechzoo_registry
from speechzoo_mtalk_bench.rubric import criteria_of
from speechzoo_mtalk_bench.task import MTalkBench

MINI = Path(speechzoo_mtalk_bench.__file__).parent / "mini"


@pytest.fixture(scope="module")
def items() -> dict[str, Item]:
    return {item.id: item for item in MTalkBench(Setup(name="mtalk-mini", folder=MINI)).items()}


def quietest(clip: AudioClip) -> float:
    """Root mean square of the quietest tenth of all stretches of 20 ms."""
    samples = clip.samples()
    frames = samples[: len(samples) // 320 * 320].reshape(-1, 320)
    return float(np.quantile(np.sqrt((frames**2).mean(axis=1)), 0.1))


def voicing(clip: AudioClip) -> float:
    """The highest correlation of loud stretches of 40 ms with themselves 2.5 to 12.5 ms later, at 16 kHz."""
    samples = clip.samples(16_000)
    frames = samples[: len(samples) // 640 * 640].reshape(-1, 640)
    loud = frames[np.sqrt((frames**2).mean(axis=1)) > 0.3 * np.sqrt((samples**2).mean())]
    strongest = []
    for frame in loud:
        full = np.correlate(frame, frame, "full")[639:]
        strongest.append(full[40:200].max() / full[0])
    return float(np.median(strongest))


def test_files_are_those_of_the_manifest_and_the_registry() -> None:
    """Otherwise two people measure on two sets of one name."""
    entry = read_registry(speechzoo_registry()).data["mtalk-mini"]
    verify_files(MINI, entry.files)
    manifest = json.loads((MINI / "manifest.json").read_text(encoding="utf-8"))
    verify_files(MINI, manifest["files"])
    on_disk = {path.relative_to(MINI).as_posix() for path in MINI.rglob("*") if path.is_file()}
    assert on_disk == {*manifest["files"], "manifest.json"}
    assert manifest["licence"] == entry.licence == "CC0-1.0"


def test_the_set_is_what_the_registry_expects(items: dict[str, Item]) -> None:
    """Otherwise a dimension is missing from the offline check."""
    expected = dict(read_registry(speechzoo_registry()).data["mtalk-mini"].expected)
    assert expected.pop("items") == len(items)
    assert Counter(item.attributes["subset"] for item in items.values()) == expected
    assert {item.attributes["turns"] for item in items.values()} == {2, 3}
    assert "unknown" not in {item.attributes["capability"] for item in items.values()}


def test_every_dialogue_can_be_judged_by_both_protocols(items: dict[str, Item]) -> None:
    """Otherwise some dialogues never count."""
    for item in items.values():
        assert len(criteria_of(item.data["rubric_prompt_general"])) == 4
        assert len(criteria_of(item.data["rubric_prompt_specific"])) >= 3
        assert all(word in item.data["arena_prompt"] for word in ("Model A", "Model B", "tie"))


def test_every_turn_is_heard_and_can_be_read(items: dict[str, Item]) -> None:
    """Otherwise text and speech ask for different things."""
    task = MTalkBench(Setup(name="mtalk-mini", folder=MINI))
    for item in items.values():
        heard, read = task.ask(item, Condition.S2S), task.ask(item, Condition.T2T)
        assert spoken_text(heard) == " ".join(turn.text for turn in read.turns)
        assert "[" not in spoken_text(heard)
        for clip in item.data["turns"]:
            assert clip.header.rate == 16_000 and 1.0 < clip.seconds < 15.0
            assert np.abs(clip.samples()).max() > 0.2


def test_rain_and_alarm_can_be_heard(items: dict[str, Item]) -> None:
    """Otherwise no model could ever notice them."""
    rain, no_rain = items["ambient-1-1"].data["turns"]
    alarm, _ = items["ambient-1-2"].data["turns"]
    assert quietest(rain) > 0.02 > quietest(no_rain)
    spectrum = np.abs(np.fft.rfft(alarm.samples()))
    hertz = np.fft.rfftfreq(len(alarm.samples()), 1 / 16_000)
    assert 3_050 < hertz[spectrum.argmax()] < 3_150


def test_knocks_come_after_the_question(items: dict[str, Item]) -> None:
    """Otherwise there is nothing to take up."""
    samples = items["ambient-3-1"].data["turns"][0].samples()
    assert np.abs(samples[-16_000:]).max() > 0.3


def test_whispering_has_no_voice(items: dict[str, Item]) -> None:
    """Otherwise the cue says what cannot be heard."""
    whispered, spoken = items["paralinguistic-1-1"].data["turns"][0], items["semantic-1-1"].data["turns"][0]
    assert voicing(whispered) < 0.5 < voicing(spoken)


@pytest.fixture(scope="module")
def plugin_under_test() -> object:
    return testing.plugin("mtalk-bench")


def test_the_plugin_conforms(plugin_check: Callable[[], None]) -> None:
    """Otherwise a broken plugin is set aside, or breaks the commands of others."""
    plugin_check()


@pytest.mark.slow
@pytest.mark.stack
def test_the_embedded_stack_answers_and_judges(tmp_path: Path) -> None:
    """Otherwise the protocol works only with keys and a network."""
    arguments = ("--model", "cascade", "--task", "mtalk-mini/semantic", "--conditions", "t2t,s2s")
    environment = {**os.environ, "SPEECHZOO_PLUGINS": "mtalk-bench,cascade,arena"}
    done = subprocess.run(
        [
            sys.executable, "-m", "speechzoo", "eval", *arguments,
            "--limit", "1", "--set", "task.max_tokens=12", "--out", str(tmp_path / "run"),
        ],
        capture_output=True, text=True, timeout=580, check=False, cwd=tmp_path, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
    results = read_results(tmp_path / "run").results
    outcomes = {key.condition: result.outcome for key, result in results.items()}
    assert set(outcomes) == {Condition.T2T, Condition.S2S}
    for condition, grade in outcomes.items():
        assert isinstance(grade, Grade)
        assert 0 <= grade.values["satisfied"] <= 1 and grade.values["answered"] == 1
        assert grade.values["invalid_criteria"] == 0
        assert ("reply_seconds" in grade.values) == condition.speech_out
    assert (tmp_path / "run" / "judgements.jsonl").read_text().count("\n") == 4
