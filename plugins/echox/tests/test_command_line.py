"""EchoX as a user runs it, through the real command line: from a folder, and by name from a hub."""

import json
import subprocess
import sys

import pytest
import soundfile
from speechzoo_echox.tiny import build

from speechzoo import loading
from speechzoo.catalogue import open_catalogue
from speechzoo.registry import read_registry
from tests.hub import Repository, commit, files_of, running_hub

CHECKPOINT, WHISPER = commit(1), commit(2)


@pytest.fixture
def speechzoo(tmp_path):
    """Runs ``speechzoo ARGUMENTS`` in a fresh process and folder."""

    def run(*arguments, code=0, **how):
        done = subprocess.run(
            [sys.executable, "-m", "speechzoo", *arguments],
            capture_output=True, text=True, cwd=tmp_path, timeout=300, check=False, **how,
        )  # fmt: skip
        assert done.returncode == code, done.stderr + done.stdout
        return done

    return run


@pytest.fixture
def evaluate(speechzoo, tmp_path):
    """Runs a task and gives back the answers by condition, those to changed asks left out."""

    def run(model, task, conditions, *more, **how):
        speechzoo(
            "eval", "--model", model, "--task", task, "--conditions", conditions, "--out", "run", *more, **how
        )
        lines = (tmp_path / "run" / "answers.jsonl").read_text().splitlines()
        answers = {condition: [] for condition in conditions.split(",")}
        for line in map(json.loads, lines):
            if line["key"]["variant"] == "":
                answers[line["key"]["condition"]].append(line["answer"])
        return answers

    return run


@pytest.mark.parametrize(
    "tied", [pytest.param(False, id="8B"), pytest.param(True, id="3B", marks=pytest.mark.slow)]
)
def test_texts_are_scored_after_text_and_after_speech(evaluate, tmp_path, tied):
    """S2SBench on a training's checkpoint: without it nobody would know what listening costs this model."""
    build(tmp_path / "tiny", tied=tied)
    answers = evaluate("echox@tiny", "s2sbench-mini", "t2t,s2t", "--limit", "4")
    heard = [[score[2] for score in answer["scores"]] for answer in answers["s2t"]]
    assert len(answers["t2t"]) == len(heard) == 4
    assert all(1 < tokens < 750 for own in heard for tokens in own)
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert "echox@tiny" in json.dumps(report["run"])


@pytest.mark.stack
@pytest.mark.parametrize(
    "tied", [pytest.param(False, id="8B", marks=pytest.mark.slow), pytest.param(True, id="3B")]
)
def test_spoken_questions_are_answered_in_speech(evaluate, tmp_path, tied):
    """Speech in, speech out: what EchoX is for. Random units say nothing that could be graded."""
    loading.fetch(open_catalogue().service("whisper-tiny"), print)
    build(tmp_path / "tiny", tied=tied)
    answers = evaluate(
        "echox@tiny", "spoken-qa-mini", "s2s", "--limit", "2", "--set", "max_unit_tokens=24",
        "--max-errors", "100%",
    )["s2s"]  # fmt: skip
    assert [answer["kind"] for answer in answers] == ["reply", "reply"]
    for answer in answers:
        clip = soundfile.info(tmp_path / "run" / "audio" / answer["clip"])
        assert clip.samplerate == 16_000 and clip.duration > 0.1


def test_both_repositories_are_pinned_fetched_and_run_by_name(speechzoo, evaluate, tmp_path):
    """One name has to bring the model and its ears, each at its commit, and say so in the result."""
    build(tmp_path / "tiny")
    whole = files_of(tmp_path / "tiny")
    ears = {n.removeprefix("whisper-large-v3/"): c for n, c in whole.items() if n.startswith("whisper")}
    own = {name: content for name, content in whole.items() if not name.startswith("whisper")}
    with running_hub() as hub:
        hub.repositories["FreedomIntelligence/EchoX-8B"] = Repository({CHECKPOINT: own}, licence="apache-2.0")
        hub.repositories["openai/whisper-large-v3"] = Repository(
            {WHISPER: {**ears, "pytorch_model.bin": b"p"}}
        )
        environment = hub.environment(tmp_path)
        ambiguous = speechzoo("pin", "echox", "--revision", "main", env=environment, code=2)
        assert "pin echox-8b or whisper-large-v3 alone" in ambiguous.stderr
        told = speechzoo("pin", "echox", env=environment).stdout
        assert f"EchoX-8B@{CHECKPOINT}" in told and f"whisper-large-v3@{WHISPER}" in told
        assert "to measure T0 too: speechzoo pin llama-3.1-8b-instruct" in told
        speechzoo("fetch", "echox", env=environment)
        assert "pytorch_model.bin" not in hub.downloads()
        answers = evaluate(
            "echox", "s2sbench-mini", "t2t,s2t", "--limit", "2", "--dtype", "float32", env=environment
        )
    assert len(answers["s2t"]) == 2
    entries = read_registry(tmp_path / "speechzoo.yaml").models
    assert {name: entry.sources[0].revision for name, entry in entries.items()} == {
        "echox-8b": CHECKPOINT,
        "whisper-large-v3": WHISPER,
    }
    identity = json.loads((tmp_path / "run" / "run.json").read_text())["systems"]["model"]["identity"]
    assert identity["name"] == "echox-8b" and identity["parts"]["whisper"]["revision"]
