"""A parrot for a voice, ears that understand it, and the command line."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from speechzoo.cli import main
from speechzoo.plugins import discover

SITE = Path(__file__).parent / "site"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """In which the parrot is installed, with a cache of its own."""
    return {
        **os.environ,
        "PYTHONPATH": str(SITE),
        "SPEECHZOO_PLUGINS": "parrot,synth",
        "SPEECHZOO_CACHE": str(tmp_path / "cache"),
        "PARROT_LOG": str(tmp_path / "spoken.log"),
        "PARROT_HEARD": str(tmp_path / "heard.log"),
        "OMP_NUM_THREADS": "1",
    }


@pytest.fixture
def synth(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    """Runs ``speechzoo synth SOURCE --out out ...`` with the parrot, in the test's folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(SITE))
    # What an earlier test of this process found is not what is installed now.
    discover.cache_clear()

    def run(source: str, *arguments: str, code: int = 0, **more: str) -> Result:
        done = CliRunner().invoke(main, command_line(source, *arguments), env=environment | more)
        assert done.exit_code == code, done.output
        return done

    yield run
    discover.cache_clear()


def command_line(source: str, *arguments: str) -> list[str]:
    voice = ["--voice", "parrot"] if "--voice" not in arguments else []
    out = ["--out", "out"] if "--out" not in arguments else []
    return ["synth", source, *out, *voice, "--transcriber", "parrot-ears", *arguments]


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts the same in a process of its own; what still runs is killed."""
    processes = []

    def begin(source: str, *arguments: str, **more: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "speechzoo", *command_line(source, *arguments)]
        quiet = subprocess.DEVNULL
        processes.append(
            subprocess.Popen(command, env=environment | more, cwd=tmp_path, stdout=quiet, stderr=quiet)
        )
        return processes[-1]

    yield begin
    for process in processes:
        process.kill()
        process.wait()


@pytest.fixture
def questions(tmp_path: Path) -> Callable[..., Path]:
    """Writes rows, or questions alone, as JSON Lines."""

    def write(rows: Iterable[Any], name: str = "questions.jsonl") -> Path:
        file = tmp_path / name
        given = [row if isinstance(row, dict) else {"question": row, "answers": ["yes"]} for row in rows]
        file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in given))
        return file

    return write


class Made:
    """A finished folder, read."""

    def __init__(self, folder: Path) -> None:
        self.manifest = json.loads((folder / "manifest.json").read_text())
        lines = (folder / "items.jsonl").read_text().splitlines()
        self.rows = {row["id"]: row for row in map(json.loads, lines)}


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Made]:
    return lambda name="out": Made(tmp_path / name)
