"""The command line answers at once, explains itself, and names what there is when a name is wrong."""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from speechzoo.cli import main

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
    assert "licence        Apache-2.0, MIT" in shown
    assert "score-under-audio" in shown
    transcriber = python("-m", "speechzoo", "show", "whisper-tiny").stdout
    assert "--set          beam_size=1: " in transcriber and "licence        MIT" in transcriber


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
