"""The example plugin, made and installed as anybody would, used by name."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parent.parent / "examples" / "third_party_plugin"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the example's wheel is installed into."""
    folder = tmp_path_factory.mktemp("third_party")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), str(EXAMPLE)], check=True
    )
    (wheel,) = folder.glob("speechzoo_letters-*.whl")
    subprocess.run(
        [*pip, "install", "--no-deps", "--no-index", "--target", str(folder / "site"), str(wheel)], check=True
    )
    return folder / "site"


def speechzoo(site: Path, folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(site)}
    done = subprocess.run(
        [sys.executable, "-m", "speechzoo", *arguments],
        env=environment, cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_is_listed_and_shown(site: Path, tmp_path: Path) -> None:
    """Otherwise: a published plugin installs but cannot be found."""
    listed = speechzoo(site, tmp_path, "list")
    assert "letters" in listed and "echoes" in listed
    assert "speechzoo-letters 0.1.0" in speechzoo(site, tmp_path, "show", "letters")


def test_its_model_runs_on_its_task(site: Path, tmp_path: Path) -> None:
    """Otherwise: a plugin author's first evaluation fails."""
    out = speechzoo(site, tmp_path, "eval", "-m", "letters", "-t", "echoes", "--out", "run")
    # A letter n-gram that learns from its context prefers the word it has just read, every time.
    assert "100.0" in out and "8/8" in out
    assert (tmp_path / "run" / "report.html").exists()


def test_its_parameters_are_checked(site: Path, tmp_path: Path) -> None:
    """Otherwise: a parameter a plugin declares is accepted and ignored."""
    first = speechzoo(
        site, tmp_path, "eval", "-m", "letters", "-t", "echoes", "--set", "order=2", "--out", "a"
    )
    assert "set:model.order=2" in first


@pytest.mark.parametrize(("name", "limit"), [("model", 70), ("task", 40)])
def test_it_is_as_short_as_promised(name: str, limit: int) -> None:
    """Otherwise: the README's promise to plugin authors is not kept."""
    code = (EXAMPLE / "speechzoo_letters" / f"{name}.py").read_text().splitlines()
    spec = (EXAMPLE / "speechzoo_letters" / "plugin.py").read_text().splitlines()
    assert len(code) < limit
    assert len(spec) < 40
