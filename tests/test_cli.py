"""The command line answers at once, explains itself, and names what there is when a name is wrong."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest

from speechzoo.cli import main
from speechzoo.cli.show import _lines as lines_of
from speechzoo.loading import Component
from speechzoo.specs import ModelSpec

Speechzoo = Callable[..., subprocess.CompletedProcess[str]]
HEAVY = ("torch", "transformers", "numpy", "soundfile", "soxr", "scipy", "huggingface_hub", "ray")
COMMANDS = main.list_commands(click.Context(main))


def python(
    *arguments: str, folder: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, **environment},
        check=False,
    )


def modules_after(*arguments: str) -> set[str]:
    """What is imported when a command is done."""
    program = (
        "import sys\n"
        "from speechzoo.cli import main\n"
        f"main({list(arguments)!r}, standalone_mode=False)\n"
        "print('\\n'.join(sys.modules), file=sys.stderr)\n"
    )
    done = python("-c", program)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines())


@pytest.mark.parametrize("arguments", [("--help",), ("list",), ("show", "cascade"), ("plugins",)])
def test_looking_around_loads_nothing_heavy(arguments: tuple[str, ...]) -> None:
    """Otherwise every look at the catalogue would take the seconds that torch needs."""
    assert modules_after(*arguments).isdisjoint(HEAVY)


def test_help_imports_no_plugin() -> None:
    """Otherwise a slow or broken plugin would stand between a user and the help."""
    modules = modules_after("--help")
    assert not any(name.startswith(("speechzoo_", "speechzoo.plugins", "pluggy", "yaml")) for name in modules)


def test_help_comes_at_once() -> None:
    """Otherwise the command would feel broken on a slow disk. A ratio, as machines differ."""

    def seconds(*arguments: str) -> float:
        begin = time.perf_counter()
        assert python(*arguments).returncode == 0
        return time.perf_counter() - begin

    pairs = [
        (seconds("-m", "speechzoo", "--help"), seconds("-c", "import importlib.metadata")) for _ in range(7)
    ]
    ours, reference = (statistics.median(times) for times in zip(*pairs, strict=True))
    assert ours <= 3 * reference


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    """Otherwise a user would have to guess what a command or an option does."""
    made = main.get_command(click.Context(main), command)
    assert made is not None and made.help and len(made.help) > 30
    for option in made.params:
        assert not isinstance(option, click.Option) or option.help, option.name
    with click.Context(made, info_name=command) as context:
        assert made.help.splitlines()[0][:40] in made.get_help(context)


def test_the_help_names_every_command() -> None:
    """Otherwise a command would be there that nobody finds."""
    shown = python("-m", "speechzoo", "--help").stdout
    assert all(f"\n  {command} " in shown for command in COMMANDS)
    assert "speechzoo fetch cascade" in shown


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("show", "cascad"), ["nothing is called 'cascad'", "cascade", "whisper-tiny"]),
        (("fetch", "cascad"), ["nothing is called 'cascad'", "cascade", "whisper-tiny"]),
        (("lst",), ["there is no command 'lst'", "list", "eval"]),
        (("list", "voices"), ["'voices' is not one of", "models", "services"]),
        (("eval", "--model", "cascade"), ["name a --model and a --task"]),
        (("eval", "-m", "cascad", "-t", "any"), ["no model is called 'cascad'", "cascade", "smollm2-135m"]),
        (("eval", "-m", "cascade", "-t", "no-such-task"), ["brings the task 'no-such-task'; there are:"]),
        (("eval", "--seed", "-1"), ["--seed", "-1"]),
        (("eval", "--time-limit", "0"), ["--time-limit"]),
        (("eval", "--time-limit", "nan"), ["--time-limit", "nan is no limit"]),
        (("eval", "--batch-tokens", "0"), ["--batch-tokens"]),
        (("eval", "--max-judge-cost", "nan"), ["--max-judge-cost", "nan is no limit"]),
        (
            ("eval", "-m", "cascade", "-t", "s2sbench-mini", "--max-judge-cost", "1"),
            ["no judge is asked for s2sbench-mini"],
        ),
        (("eval", "--max-errors", "nan"), ["--max-errors", "say 10 or 5%"]),
        (("eval", "--max-errors", "few"), ["--max-errors", "say 10 or 5%"]),
        (("eval", "--max-errors", "-1%"), ["--max-errors", "say 10 or 5%"]),
        (("eval", "-m", "m", "-t", "t", "--conditions", ""), ["conditions are t2t"]),
        (("eval", "--device-map", "everywhere"), ["--device-map", "auto"]),
        (
            ("eval", "-m", "smollm2-135m", "-t", "s2sbench-mini", "--device-map", "auto"),
            ["--device is cpu: say --device cuda"],
        ),
        (("eval", "-m", "m", "-t", "t", "--set", "beams"), ["'beams' is not of the form key=value"]),
        (("eval", "--signature", "task:t|model:m|limit:abc"), ["limit:abc is no whole number"]),
        (("eval", "--signature", "task:t|model:m|seed:-1"), ["seed:-1 is no whole number"]),
        (("eval", "--signature", "task:t|model:m|dtype:int3"), ["dtype:int3 is none of float32"]),
        (("eval", "--signature", "task:t|model:m|conditions:x2y"), ["'x2y'", "conditions are t2t"]),
        (("eval", "--signature", "task:t|model:m|set:beams"), ["'beams' is not of the form key=value"]),
        (
            ("eval", "--signature", "task:t|model:m", "--seed", "0", "--set", "a=b", "-m", "m"),
            ["--signature decides --model, --set, --seed already"],
        ),
        (("list", "--registry", "nowhere.yaml"), ["nowhere.yaml"]),
        (("list", "--registry", "wrong.yaml"), ["wrong.yaml is not valid", "modles"]),
    ],
)
def test_a_wrong_name_is_answered_with_the_right_ones(
    tmp_path: Path, arguments: tuple[str, ...], told: list[str]
) -> None:
    """Otherwise a typo would end in a traceback, or in a script that goes on after a failure."""
    (tmp_path / "wrong.yaml").write_text("modles: {}")
    done = python("-m", "speechzoo", *arguments, folder=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr and done.stdout == ""
    assert all(words in done.stderr for words in told), done.stderr


def test_show_tells_everything_about_the_cascade() -> None:
    """Otherwise a user would read source code to learn a licence or a parameter."""
    shown = python("-m", "speechzoo", "show", "cascade").stdout
    for part in ("part transcriber whisper-tiny", "part llm       smollm2-135m", "part voice     piper-joe"):
        assert part in shown
    assert "--set transcriber=NAME for another transcriber" in shown
    assert "--set          transcriber.beam_size=1: " in shown
    assert "licence        Apache-2.0, MIT" in shown
    assert "score-under-audio" in shown
    transcriber = python("-m", "speechzoo", "show", "whisper-tiny").stdout
    assert "--set          beam_size=1: " in transcriber and "licence        MIT" in transcriber
    assert "download       71 MB" in transcriber


def test_an_adapter_is_listed_and_shown() -> None:
    """Otherwise: nobody learns that text-llm@FOLDER runs a checkpoint of one's own."""
    listed = python("-m", "speechzoo", "list", "adapters").stdout
    [line] = [line for line in listed.splitlines() if line.startswith("  text-llm ")]
    assert listed.startswith("adapters:\n") and "text-llm@FOLDER, " in line and "smollm2-135m" in line
    shown = python("-m", "speechzoo", "show", "text-llm").stdout
    assert "\nadapter of     " in shown and "smollm2-135m, and text-llm@FOLDER" in shown
    assert "--set          temperature=0.0: " in shown
    assert "nothing to fetch" in python("-m", "speechzoo", "fetch", "text-llm").stdout


def test_a_folder_of_ones_own_is_not_read_to_be_shown(tmp_path: Path) -> None:
    """Otherwise: a look at a checkpoint of 20 GB takes minutes."""
    (tmp_path / "weights").write_text("w")
    shown = python("-m", "speechzoo", "show", f"text-llm@{tmp_path}").stdout
    assert "revision       taken from the contents by each run" in shown


FAULTY = """
import os, sys
from speechzoo.cli import main
import speechzoo.cli.running as command
def write_reports(folder):
    {fault}
command.write_reports = write_reports
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("fault", "code", "told"),
    [
        ("os.kill(os.getpid(), 15)", 143, "takes the run up again"),
        ("os.kill(os.getpid(), 2)", 130, "takes the run up again"),
        ("{}['key']", 3, "internal error: please report it"),
    ],
)
def test_what_happens_after_the_answers_has_an_exit_code_of_its_own(
    instrument: dict[str, str], tmp_path: Path, fault: str, code: int, told: str
) -> None:
    """Otherwise: a stopped job or a bug of ours is taken for a run with too many invalid items (1)."""
    arguments = ("eval", "-m", "instrument", "-t", "arithmetic", "--limit", "2", "--conditions", "t2t")
    done = python("-c", FAULTY.format(fault=fault), *arguments, folder=tmp_path, **instrument)
    assert done.returncode == code, done.stderr
    assert told in done.stderr and ("Traceback" in done.stderr) == (code == 3)


RUN = ("eval", "-m", "instrument", "-t", "arithmetic", "--limit", "2", "--conditions", "t2t")


def test_eval_can_ask_everything_again(speechzoo: Speechzoo, tmp_path: Path) -> None:
    """Otherwise: answers that are in doubt can only be had again by deleting the folder."""
    log, asked = tmp_path / "a, log", []
    for options in ((), (), ("--fresh",)):
        speechzoo(*RUN, "--set", f"log={log}", "--out", "run", *options)
        asked.append(len(log.read_text().splitlines()))
    assert asked[0] == asked[1] > 0 and asked[2] == 2 * asked[0]


def test_a_signature_brings_back_any_setting(speechzoo: Speechzoo, tmp_path: Path) -> None:
    """Otherwise: a comma or a number in a prompt makes the line of a paper impossible to run."""
    for count, wording in enumerate(["gives, say, a=b | 5 % of it:", "007"]):
        speechzoo(*RUN, "--set", f"wording={wording}", "--out", f"first{count}")
        line = json.loads((tmp_path / f"first{count}" / "run.json").read_text())["signature"]
        speechzoo("eval", "--signature", line, "--out", f"again{count}")
        again = json.loads((tmp_path / f"again{count}" / "run.json").read_text())
        assert again["signature"] == line
        assert again["task"]["identity"]["parameters"]["wording"] == wording


def test_the_attention_backend_is_part_of_the_signature(speechzoo: Speechzoo, tmp_path: Path) -> None:
    """Otherwise: a number that another kernel rounded passes for the same, or cannot be had again."""

    def run_json(folder: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((tmp_path / folder / "run.json").read_text())
        return found

    speechzoo(*RUN, "--out", "plain")
    speechzoo(*RUN, "--out", "eager", "--attention", "eager")
    plain, eager = run_json("plain"), run_json("eager")
    assert "attention" not in plain["signature"] and "|attention:eager|" in eager["signature"]
    assert plain["fingerprint"] != eager["fingerprint"]
    speechzoo("eval", "--signature", eager["signature"], "--out", "again")
    assert run_json("again")["signature"] == eager["signature"]
    other = speechzoo(*RUN, "--out", "eager", "--attention", "sdpa", code=3)
    assert "attention: eager there, sdpa now" in other.stderr
    beside = speechzoo("eval", "--signature", eager["signature"], "--attention", "sdpa", code=2)
    assert "--signature decides --attention already" in beside.stderr


def test_what_decides_no_number_is_told_and_changes_none(speechzoo: Speechzoo, tmp_path: Path) -> None:
    """Otherwise: nobody learns how a model was spread, or the same answers are asked for once more."""
    log, asked = tmp_path / "log", []
    for options in ((), ("--device-map", "auto", "--trust-remote-code")):
        speechzoo(*RUN, "--set", f"log={log}", "--device", "cuda", "--out", "run", *options)
        asked.append(len(log.read_text().splitlines()))
    environment = json.loads((tmp_path / "run" / "run.json").read_text())["environment"]
    assert environment["device map"] == "auto" and environment["code of checkpoints"] == "allowed to run"
    assert asked[0] == asked[1] > 0


def test_show_says_that_a_model_runs_code_of_its_checkpoint() -> None:
    """Otherwise: it is learnt from an error, after the download."""
    spec = ModelSpec("runner", "math:pi", "runs code", remote_code=True)
    runner = Component("model", "runner", spec, "package 1", {})
    outer = Component(
        "model", "outer", replace(spec, remote_code=False), "package 1", {}, parts={"llm": runner}
    )
    for component in (runner, outer):
        told = dict(lines_of(component, []))["code"]
        assert told.startswith("runner runs Python code") and "--trust-remote-code" in told


def test_list_tells_the_command_that_brings_what_is_missing(tmp_path: Path) -> None:
    """Otherwise a new user would not know the next step."""
    listed = python("-m", "speechzoo", "list", SPEECHZOO_CACHE=str(tmp_path)).stdout
    assert "missing: speechzoo fetch cascade" in listed
    bare = python("-m", "speechzoo", "list", SPEECHZOO_PLUGINS="").stdout
    assert "tasks:\n  none installed" in bare


def test_a_registry_of_ones_own_joins_the_list(tmp_path: Path) -> None:
    """Otherwise one's own checkpoints could not be named."""
    text = (
        "models:\n  mine: {adapter: text-llm, summary: my own, licence: MIT, sources: [{path: .}]}\n"
        "  wrong: {adapter: text-llm, summary: not so, licence: MIT, parameters: {beams: 1}}\n"
        "  loop: {adapter: cascade, summary: round, licence: MIT, parts: {llm: loop}}\n"
        "aliases: {best: mine}\n"
    )
    (tmp_path / "speechzoo.yaml").write_text(text)
    listed = python("-m", "speechzoo", "list", "models", folder=tmp_path).stdout
    lines = {line.split()[0]: line for line in listed.splitlines()[1:]}
    assert "ready" in lines["mine"]
    assert "unusable: wrong has no parameter 'beams'" in lines["wrong"]
    assert "part of itself" in lines["loop"]
    assert "alias: best -> mine" in listed
    assert f"files          {tmp_path}" in python("-m", "speechzoo", "show", "best", folder=tmp_path).stdout
