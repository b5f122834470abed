"""The checks as an author has them: in tests of their own, from the command line, on a whole plugin."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from speechzoo.cli.check import command
from tests.testing.adapters import write_checkpoint

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "third_party_plugin"
MODEL_TEST = """
import pytest
from speechzoo.testing import ModelUnderTest
from tests.testing.adapters import CAPABILITIES
from tests.testing.{module} import {adapter}

@pytest.fixture(scope="module")
def model_under_test():
    return ModelUnderTest({adapter}, CAPABILITIES)

def test_conformance(model_check):
    model_check()
"""
TASK_TEST = """
import pytest
from speechzoo import testing

@pytest.fixture(scope="module")
def task_under_test():
    return testing.task("echoes")

@pytest.fixture(scope="module")
def plugin_under_test():
    return testing.plugin("letters")

def test_task(task_check):
    task_check()

def test_plugin(plugin_check):
    plugin_check()
"""


@pytest.fixture
def example(tmp_path: Path) -> dict[str, str]:
    """The environment in which the example plugin is installed."""
    installed = tmp_path / "speechzoo_letters-0.1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: speechzoo-letters\nVersion: 0.1.0\n")
    (installed / "entry_points.txt").write_text("[speechzoo]\nletters = speechzoo_letters.plugin\n")
    paths = [str(tmp_path), str(EXAMPLE), str(ROOT)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


def run_pytest(folder: Path, test: str, environment: dict[str, str], only: str = "") -> str:
    (folder / "test_mine.py").write_text(test)
    pytest_with_kit = [sys.executable, "-m", "pytest", "-p", "speechzoo.testing.pytest_plugin"]
    done = subprocess.run(
        [*pytest_with_kit, "-rA", "-k", only, "test_mine.py"],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


def test_each_check_is_a_test(example: dict[str, str], tmp_path: Path) -> None:
    """Otherwise an author sees one red test and not which promise is broken."""
    told = run_pytest(
        tmp_path,
        MODEL_TEST.format(module="broken", adapter="BatchReversed"),
        example,
        "order or seed or batch",
    )
    assert "order is kept: the answers of a batch are those of its asks in another order" in told
    assert "FAILED test_mine.py::test_conformance[order-is-kept]" in told
    assert "PASSED test_mine.py::test_conformance[same-seed-same-answers]" in told
    assert "'order is kept' has to hold first" in told
    assert "1 failed" in told


def test_the_examples_task_and_plugin_conform(example: dict[str, str], tmp_path: Path) -> None:
    """Otherwise the example that authors copy breaks what they are asked to keep."""
    told = run_pytest(tmp_path, TASK_TEST, example)
    assert "15 passed, 1 skipped" in told, told


def test_a_plugin_that_imports_torch_is_caught(example: dict[str, str], tmp_path: Path) -> None:
    """Otherwise every `speechzoo list` of everybody who installs it takes ten seconds."""
    package = tmp_path / "speechzoo_letters"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "plugin.py").write_text("import torch\n")
    told = run_pytest(tmp_path, TASK_TEST.replace("task_check", "plugin_check"), example)
    assert "speechzoo_letters.plugin imports torch" in told


def test_the_command_checks_a_checkpoint(tmp_path: Path) -> None:
    """Otherwise somebody's own checkpoint cannot be checked without writing a test."""
    pytest.importorskip("speechzoo_cascade")
    write_checkpoint(tmp_path)
    done = CliRunner().invoke(command, [f"text-llm@{tmp_path}"])
    assert done.exit_code == 0, done.output
    assert done.output.startswith(f"model text-llm@{tmp_path}\n")
    assert "  passed          a batch equals its singles\n" in done.output
    assert "  not applicable  audio is heard: it has no audio-in\n" in done.output
    assert " 0 failed" in done.output


def test_the_command_fails_where_a_promise_is_broken(instrument: dict[str, str], tmp_path: Path) -> None:
    """Otherwise a pipeline that runs it stays green."""
    program = "from speechzoo.cli.check import command; command()"
    done = subprocess.run(
        [sys.executable, "-c", program, "instrument"],
        env=instrument, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    # Its scores are hashes of the texts.
    assert "failed          every token is scored once: the chain rule does not hold" in done.stdout


def test_the_kit_is_light() -> None:
    """Otherwise every pytest of everybody who has speechzoo installed waits for it."""
    code = (
        "import sys, speechzoo.testing.pytest_plugin as _, speechzoo.testing as t\n"
        "print({'torch', 'numpy'} & {*sys.modules})\n"
        "t.MODEL_CHECKS, t.everything\n"
        "print('torch' in sys.modules)"
    )
    told = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert told.split("\n")[:2] == ["set()", "False"]
