"""What tests share: the instrument plugin, and runs of it through the real command line."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SITE = Path(__file__).parent / "site"


@pytest.fixture
def instrument(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment in which the instrument plugin is installed, also for child processes."""
    monkeypatch.syspath_prepend(str(SITE))
    return {**os.environ, "PYTHONPATH": str(SITE), "SPEECHZOO_PLUGINS": "instrument"}


@pytest.fixture
def speechzoo(instrument: dict[str, str], tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs ``speechzoo ARGUMENTS`` in a fresh process and folder."""

    def run(*arguments: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "speechzoo", *arguments],
            capture_output=True,
            text=True,
            env=instrument,
            cwd=tmp_path,
            timeout=120,
            check=False,
        )
        assert code is None or done.returncode == code, done.stderr + done.stdout
        return done

    return run
