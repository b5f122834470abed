"""What tests share: the instrument plugin, and runs of it through the real command line."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from speechzoo.plugins import discover

SITE = Path(__file__).parent / "site"

# Started in the background by a shell, tests inherit that Ctrl-C is ignored, and so would what they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def instrument(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The environment in which the instrument plugin is installed, also for child processes."""
    monkeypatch.syspath_prepend(str(SITE))
    # What an earlier test of this process found is not what is installed now.
    discover.cache_clear()
    yield {**os.environ, "PYTHONPATH": str(SITE), "SPEECHZOO_PLUGINS": "instrument"}
    discover.cache_clear()


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
