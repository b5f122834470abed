"""The tiny checkpoints through the command line, as anybody evaluates a folder of their own."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from speechzoo_hf_speech import plugin
from speechzoo_hf_speech.tiny import BUILDERS
from transformers import AutoTokenizer, Qwen2AudioForConditionalGeneration

from speechzoo import loading
from speechzoo.catalogue import open_catalogue

LISTENERS = [name for name in BUILDERS if name != "moshi"]
SPEAKERS = {
    "qwen2.5-omni": "max_speech_tokens=24",
    "qwen3-omni": "max_speech_tokens=24",
    "moshi": "seconds=2",
}
LINES = 70
IN_EVERY_SUITE = {"qwen2-audio", "granite-speech", "moshi"}
"""One of each sort; each of the others takes as many seconds more, and runs with -m slow."""


def mostly_slow(adapters):
    """The adapters as parameters, those marked that need not run in every suite."""
    return [pytest.param(name, marks=[] if name in IN_EVERY_SUITE else pytest.mark.slow) for name in adapters]


def evaluate(model: str, out: Path, *options: str) -> SimpleNamespace:
    """Report and answers of a run on two items."""
    arguments = ["eval", "--model", model, "--limit", "2", "--out", str(out), *options]
    done = subprocess.run(
        [sys.executable, "-m", "speechzoo", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answers = [json.loads(line) for line in (out / "answers.jsonl").read_text().splitlines()]
    return SimpleNamespace(
        report=json.loads((out / "report.json").read_text()),
        answers={(*map(str, one["key"].values()),): one["answer"] for one in answers},
    )


def both_arms(model: str, out: Path) -> SimpleNamespace:
    return evaluate(model, out, "--task", "s2sbench-mini", "--conditions", "t2t,s2t")


@pytest.mark.parametrize("adapter", mostly_slow(LISTENERS), indirect=True)
def test_a_folder_is_evaluated_in_both_arms(adapter, folder, tmp_path):
    """Otherwise an adapter that passes every small question fails at its users' first command."""
    run = both_arms(f"{adapter}@{folder}", tmp_path)
    assert run.report["run"]["systems"]["model"]["identity"]["adapter"] == adapter
    assert [(stage["condition"], stage["used"]) for stage in run.report["stages"]] == [("t2t", 2), ("s2t", 2)]


@pytest.mark.stack
@pytest.mark.parametrize("adapter", mostly_slow(SPEAKERS), indirect=True)
def test_a_folder_answers_spoken_questions_in_speech(adapter, folder, tmp_path):
    """Otherwise a model that speaks is compared with others by its text alone."""
    loading.fetch(open_catalogue().service("whisper-tiny"), print)
    options = ["--task", "spoken-qa-mini", "--conditions", "s2s", "--set", SPEAKERS[adapter]]
    # Of the noise that random weights speak, the recogniser may hear nothing: an outcome, not an error.
    run = evaluate(f"{adapter}@{folder}", tmp_path, *options, "--max-errors", "100%")
    assert len(run.answers) >= 2
    assert all(answer["kind"] == "reply" and answer["clip"] for answer in run.answers.values())
    assert [(stage["condition"], stage["planned"]) for stage in run.report["stages"]] == [("s2s", 2)]


@pytest.mark.parametrize("adapter", ["qwen2-audio"], indirect=True)
def test_a_fine_tune_needs_no_registry_entry(adapter, folder, tmp_path):
    """Otherwise nobody sees what their own training costs, or sees the original's answers."""
    tuned = tmp_path / "tuned"
    tune(folder, tuned)
    runs = [both_arms(f"{adapter}@{one}", tmp_path / one.name / "run") for one in (folder, tuned)]
    before, after = (run.report["run"] for run in runs)
    assert before["fingerprint"] != after["fingerprint"]
    revisions = [run["systems"]["model"]["identity"]["revision"] for run in (before, after)]
    assert revisions[0] != revisions[1]
    for key, answer in runs[0].answers.items():
        assert answer["scores"] != runs[1].answers[key]["scores"]


def tune(folder: Path, tuned: Path) -> None:
    """Two steps of gradient descent on a sentence."""
    model = Qwen2AudioForConditionalGeneration.from_pretrained(folder)
    ids = AutoTokenizer.from_pretrained(folder)(
        "The ferry left before sunrise.", return_tensors="pt"
    ).input_ids
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2):
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(tuned)
    for file in folder.iterdir():
        if not (tuned / file.name).exists():
            (tuned / file.name).write_bytes(file.read_bytes())


def test_an_adapter_is_a_page():
    """Otherwise the next model of transformers costs its author a week instead of an afternoon."""
    folder = Path(plugin.__file__).parent
    targets = [spec.target for spec in plugin.speechzoo_models()]
    assert len(targets) == len(BUILDERS)
    for module in (target.partition(":")[0].rpartition(".")[2] for target in targets):
        lines = (folder / f"{module}.py").read_text(encoding="utf-8").splitlines()
        assert len(lines) <= LINES, f"{module}.py has {len(lines)} lines"
