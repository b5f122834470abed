"""Whole runs through the command line: faults, resuming, refusals, exit codes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Speechzoo = Callable[..., subprocess.CompletedProcess[str]]
EVAL = ("eval", "--model", "instrument", "--task", "arithmetic", "--out", "run")


def report(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "run" / "report.json").read_text())
    return found


def invalid(folder: Path, stage: str) -> dict[str, int]:
    return next(s["invalid"] for s in report(folder)["stages"] if s["name"] == stage)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("raise", "model_error"), ("nan", "non_finite"), ("few", "wrong_answer_shape"), ("exit", "worker_died")],
)
def test_one_bad_item_is_an_outcome_of_its_own(
    speechzoo: Speechzoo, tmp_path: Path, fault: str, reason: str
) -> None:
    """Otherwise: a crash, NaN or missing score becomes a zero, a guess or the end of the run."""
    done = speechzoo(*EVAL, "--conditions", "t2t", "--set", f"fault={fault}", "--set", "poison=5")
    assert invalid(tmp_path, "T") == {reason: 1}
    stage = report(tmp_path)["stages"][0]
    assert (stage["planned"], stage["valid"]) == (40, 39)
    assert reason in done.stdout


def test_a_hanging_item_is_set_aside(speechzoo: Speechzoo, tmp_path: Path) -> None:
    """Otherwise: one item holds up a night's run for ever."""
    speechzoo(
        *EVAL, "--conditions", "t2t", "--set", "fault=hang", "--set", "poison=5", "--set", "count=6",
        "--time-limit", "1", "--max-errors", "1",
    )  # fmt: skip
    assert invalid(tmp_path, "T") == {"timed_out": 1}


def test_too_many_invalid_items_exit_with_1(speechzoo: Speechzoo) -> None:
    """Otherwise: a pipeline takes a broken run for a good one."""
    bad = ("--conditions", "t2t", "--set", "fault=raise", "--set", "poison=5")
    done = speechzoo(*EVAL, *bad, "--max-errors", "0", code=1)
    assert "invalid" in done.stderr
    speechzoo(*EVAL, *bad, "--max-errors", "1")


def test_a_second_call_computes_nothing(speechzoo: Speechzoo, tmp_path: Path) -> None:
    """Otherwise: looking at a result again costs the GPU again."""
    log = ("--set", f"log={tmp_path / 'log'}")
    speechzoo(*EVAL, *log)
    asked, first = (tmp_path / "log").read_text(), report(tmp_path)
    done = speechzoo(*EVAL, *log)
    assert (tmp_path / "log").read_text() == asked
    assert "all done before" in done.stderr
    second = report(tmp_path)
    assert first["stages"] == second["stages"]
    assert first["run"]["created"] == second["run"]["created"]


def test_a_larger_limit_asks_only_what_is_new(speechzoo: Speechzoo, tmp_path: Path) -> None:
    """Otherwise: trying 10 items first wastes them."""
    log = ("--set", f"log={tmp_path / 'log'}", "--conditions", "t2t")
    speechzoo(*EVAL, *log, "--limit", "10")
    before = (tmp_path / "log").read_text().splitlines()
    speechzoo(*EVAL, *log)
    after = (tmp_path / "log").read_text().splitlines()
    # An item is asked once, and once more without its context for the prior.
    assert len(before) == 20 and len(after) == 80


def test_another_grading_option_regrades_without_the_model(speechzoo: Speechzoo, tmp_path: Path) -> None:
    """Otherwise: a new metric needs the GPU again, or old grades are shown under new options."""
    log = ("--set", f"log={tmp_path / 'log'}", "--conditions", "t2t")
    speechzoo(*EVAL, *log)
    asked, plain = (tmp_path / "log").read_text(), report(tmp_path)
    speechzoo(*EVAL, *log, "--set", "penalty=0.25")
    penalised = report(tmp_path)
    assert (tmp_path / "log").read_text() == asked
    difference = plain["stages"][0]["estimate"]["value"] - penalised["stages"][0]["estimate"]["value"]
    assert difference == pytest.approx(0.25)
    speechzoo(*EVAL, *log)
    assert report(tmp_path)["stages"] == plain["stages"]


def test_changed_data_are_asked_again(speechzoo: Speechzoo, tmp_path: Path) -> None:
    """Otherwise: answers to the old wording are reported for the new one."""
    log = ("--set", f"log={tmp_path / 'log'}", "--conditions", "t2t")
    speechzoo(*EVAL, *log)
    before = len((tmp_path / "log").read_text().splitlines())
    speechzoo(*EVAL, *log, "--set", "wording=gives")
    added = (tmp_path / "log").read_text().splitlines()[before:]
    # The context changed for all 40; the prior has none, so its answers still stand.
    assert len(added) == 40 and all("gives" in line for line in added)


def test_another_model_in_the_same_folder_is_refused(speechzoo: Speechzoo) -> None:
    """Otherwise: answers of two models are mixed in one number."""
    speechzoo(*EVAL, "--conditions", "t2t")
    done = speechzoo(*EVAL, "--conditions", "t2t", "--set", "bias=0.5", "--dtype", "bfloat16", code=3)
    assert "model.parameters.bias: 0.0 there, 0.5 now" in done.stderr
    assert "dtype: float32 there, bfloat16 now" in done.stderr


def test_a_condition_beyond_the_task_is_refused_in_planning(speechzoo: Speechzoo) -> None:
    """Otherwise: a typo costs loading a model of 20 GB."""
    done = speechzoo(*EVAL, "--conditions", "t2s", code=2)
    assert "t2s" in done.stderr and "t2t, s2t, s2s" in done.stderr
    assert "x2y" in speechzoo(*EVAL, "--conditions", "x2y", code=2).stderr


def test_a_finished_run_is_not_overwritten_by_a_smaller_one(speechzoo: Speechzoo, tmp_path: Path) -> None:
    """Otherwise: trying two items destroys the report of all of them."""
    speechzoo(*EVAL)
    before = (tmp_path / "run" / "report.json").read_bytes()
    assert "limit: none there, 2 now" in speechzoo(*EVAL, "--limit", "2", code=3).stderr
    assert "condition s2t" in speechzoo(*EVAL, "--conditions", "t2t", code=3).stderr
    assert (tmp_path / "run" / "report.json").read_bytes() == before


def test_what_the_machine_failed_at_is_tried_again(speechzoo: Speechzoo, tmp_path: Path) -> None:
    """Otherwise: a night with a broken driver marks its items as failed for good."""
    slow = (*EVAL, "--conditions", "t2t", "--set", "fault=hang", "--set", "poison=1", "--set", "count=3")
    speechzoo(*slow, "--time-limit", "1", "--max-errors", "100%")
    assert invalid(tmp_path, "T") == {"timed_out": 1}
    done = speechzoo(*slow, "--time-limit", "2", "--max-errors", "100%")
    assert "5 done before" in done.stderr


def test_fresh_asks_everything_again(speechzoo: Speechzoo, tmp_path: Path) -> None:
    """Otherwise: an author who changed the adapter's code sees the old answers."""
    log = ("--set", f"log={tmp_path / 'log'}", "--conditions", "t2t")
    speechzoo(*EVAL, *log)
    speechzoo(*EVAL, *log, "--fresh")
    assert len((tmp_path / "log").read_text().splitlines()) == 160


def test_a_stopped_run_can_be_reported(speechzoo: Speechzoo, tmp_path: Path) -> None:
    """Otherwise: the answers of a stopped run cannot be looked at."""
    speechzoo(*EVAL, "--conditions", "t2t")
    (tmp_path / "run" / "grades.jsonl").unlink()
    answers = tmp_path / "run" / "answers.jsonl"
    kept = [line for line in answers.read_bytes().splitlines(keepends=True) if b'"variant":""' in line]
    answers.write_bytes(b"".join(kept[:30]))
    speechzoo("report", "run")
    assert invalid(tmp_path, "T") == {"not_graded": 30, "not_answered": 10}


def test_an_unknown_setting_names_those_that_exist(speechzoo: Speechzoo) -> None:
    """Otherwise: a misspelt option is ignored and the number is of something else."""
    done = speechzoo(*EVAL, "--set", "penaltie=1", code=2)
    assert "penaltie" in done.stderr and "task.penalty" in done.stderr


def test_the_signature_runs_the_same_again(speechzoo: Speechzoo, tmp_path: Path) -> None:
    """Otherwise: the line in a paper cannot be reproduced."""
    speechzoo(*EVAL, "--limit", "12", "--set", "penalty=0.1", "--seed", "3", "--conditions", "t2t,s2t")
    first = report(tmp_path)
    line = first["run"]["signature"]
    speechzoo("eval", "--signature", line, "--out", "again")
    again = json.loads((tmp_path / "again" / "report.json").read_text())
    assert again["run"]["signature"] == line
    assert again["stages"] == first["stages"] and again["steps"] == first["steps"]
    other = line.replace("version:1", "version:2")
    assert "version: 2 in the signature, 1 here" in speechzoo("eval", "--signature", other, code=2).stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_leaves_a_run_that_can_be_resumed(
    instrument: dict[str, str], tmp_path: Path, number: signal.Signals, code: int
) -> None:
    """Otherwise: a pre-empted job loses its answers or reports success."""
    arguments = [
        sys.executable, "-m", "speechzoo", *EVAL, "--set", "delay=0.02", "--batch-tokens", "40",
        "--conditions", "t2t",
    ]  # fmt: skip
    process = subprocess.Popen(
        arguments, env=instrument, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )
    answers = tmp_path / "run" / "answers.jsonl"
    while not answers.exists() or not answers.read_bytes():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == code
    assert b"takes the run up again" in errors
    finished = len(answers.read_bytes().splitlines())
    assert 0 < finished < 80
    done = subprocess.run(arguments, env=instrument, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert f"{finished} done before" in done.stderr
    assert report(tmp_path)["stages"][0]["valid"] == 40


REGISTRY = """
models:
  deaf:
    adapter: instrument
    summary: reads only
    licence: none
    capabilities: [text-in, score-under-text]
  plain:
    adapter: instrument
    summary: a text LLM
    licence: none
    parameters: {bias: 1.0}
  speaking:
    adapter: instrument
    summary: made from plain
    licence: none
    base: plain
"""


@pytest.fixture
def registry(tmp_path: Path) -> tuple[str, str]:
    (tmp_path / "own.yaml").write_text(REGISTRY)
    return "--registry", "own.yaml"


def test_what_a_model_cannot_do_is_refused_before_it_is_loaded(
    speechzoo: Speechzoo, tmp_path: Path, registry: tuple[str, str]
) -> None:
    """Otherwise: a model that hears nothing gets a number for hearing, or fails after an hour."""
    deaf = ("eval", "--model", "deaf", "--task", "arithmetic", "--out", "run", *registry)
    done = speechzoo(*deaf, "--conditions", "s2t", code=2)
    assert "deaf does not declare" in done.stderr and "score-under-audio" in done.stderr
    assert not (tmp_path / "run").exists()
    done = speechzoo(*deaf)
    assert [stage["name"] for stage in report(tmp_path)["stages"]] == ["T"]
    assert "s2t cannot be asked" in done.stdout


def test_base_and_rival_are_measured_on_the_same_items(
    speechzoo: Speechzoo, tmp_path: Path, registry: tuple[str, str]
) -> None:
    """Otherwise: forgetting, the gap to the cascade and what its ears cost rest on different items."""
    speechzoo(
        "eval", "--model", "speaking", "--task", "arithmetic", "--rival", "plain", "--out", "run",
        "--limit", "12", *registry,
    )  # fmt: skip
    found = report(tmp_path)
    assert [stage["name"] for stage in found["stages"]] == ["T0", "T", "S", "SS", "CT", "C"]
    assert {stage["used"] for stage in found["stages"]} == {12}
    assert found["steps"][0]["name"] == "forgetting"
    assert found["run"]["systems"]["base"]["identity"]["parameters"]["bias"] == 1.0


def test_a_worker_killed_from_outside_costs_nothing(instrument: dict[str, str], tmp_path: Path) -> None:
    """Otherwise: the system's out-of-memory killer ends the run or loses a batch."""
    arguments = [sys.executable, "-m", "speechzoo", *EVAL, "--set", "delay=0.02", "--conditions", "t2t"]
    process = subprocess.Popen([*arguments, "--batch-tokens", "60"], env=instrument, cwd=tmp_path)
    answers = tmp_path / "run" / "answers.jsonl"
    while not answers.exists() or not answers.read_bytes():
        assert process.poll() is None
        time.sleep(0.02)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    workers = [c for c in children if b"speechzoo.run.serve" in Path(f"/proc/{c}/cmdline").read_bytes()]
    assert len(workers) == 1
    os.kill(int(workers[0]), signal.SIGKILL)
    assert process.wait(60) == 0
    assert report(tmp_path)["stages"][0]["valid"] == 40


def test_runs_are_compared_on_the_same_items(speechzoo: Speechzoo, tmp_path: Path) -> None:
    """Otherwise: the command that sets models side by side fails, or compares other items."""
    one = ("eval", "--model", "instrument", "--task", "arithmetic", "--conditions", "t2t", "--limit", "12")
    speechzoo(*one, "--out", "first")
    speechzoo(*one, "--out", "second", "--set", "bias=0.5")
    done = speechzoo("compare", "first", "second", "--json", "comparison.json")
    assert "over 12 items valid in all runs" in done.stdout
    (table,) = json.loads((tmp_path / "comparison.json").read_text())["tables"]
    assert table["items"] == 12 and table["pairs"][0]["lead"]["value"] == 0
    assert "at least two runs" in speechzoo("compare", "first", code=2).stderr
