"""An arena of real models."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from plugins.arena.tests.players import votes_in
from speechzoo.catalogue import open_catalogue
from speechzoo.loading import fetch

from speechzoo_arena.arena_report import arena_report


@pytest.mark.slow
@pytest.mark.stack
def test_the_embedded_stack_plays_end_to_end(tmp_path: Path) -> None:
    """Otherwise the README's arena would not run on a machine without a network."""
    fetch(open_catalogue().model("cascade"), print)
    environment = {key: value for key, value in os.environ.items() if key != "SPEECHZOO_PLUGINS"}

    def speechzoo(*arguments: str) -> str:
        command = [sys.executable, "-m", "speechzoo", *arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=3000, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    common = ["--model", "cascade", "--task", "mtalk-mini", "--conditions", "s2s", "--limit", "2"]
    common += ["--set", "max_tokens=24", "--max-errors", "100%", "--time-limit", "3000"]
    speechzoo("eval", *common, "--out", "plain")
    speechzoo("eval", *common, "--set", "llm.temperature=0.9", "--set", "voice.speed=1.3", "--out", "warm")
    told = speechzoo("arena", "plain", "warm", "--judge", "local-judge", "--out", "arena")
    assert "cascade (plain)" in told and "cascade (warm)" in told
    votes = votes_in(tmp_path / "arena")
    assert len(votes) == 4 and all(vote.verdict is not None for vote in votes)
    assert all(vote.seconds and vote.words for vote in votes)
    report = arena_report(tmp_path / "arena")
    assert any("cascade (plain) (smollm2-135m)" in told for told in report.warnings)
    assert all(len(own.turns) > 1 for own in report.dialogues.values())
