"""An arena that is killed, runs out of money or meets a judge that fails, and is taken up again."""

import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from plugins.arena.tests.players import arena_of, votes_in
from speechzoo.errors import SetupError, StoreError
from speechzoo.run.judge import ASKS_A_CALL
from speechzoo.run.records import JudgementRecord
from speechzoo.run.store import read_lines

from speechzoo_arena.arena_file import Options, locked
from speechzoo_arena.arena_report import arena_report
from speechzoo_arena.records import FILE, Failed


def test_what_is_on_disk_is_not_asked_again_after_a_kill(
    players: dict[str, str], runs: list[Path], tmp_path: Path
) -> None:
    """Otherwise a crash would cost a user all the money that the judge had taken so far."""
    log, folder = tmp_path / "log", tmp_path / "arena"
    command = [
        sys.executable, "-m", "speechzoo", "arena", *map(str, runs), "--judge", "longer",
        "--out", str(folder), "--set", f"judge.log={log}", "--set", "judge.delay=0.05",
    ]  # fmt: skip
    first = subprocess.Popen(command, env=players, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 100
    while not (folder / FILE).exists() or (folder / FILE).stat().st_size == 0:
        assert first.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    first.kill()
    first.wait()
    kept = len(list(read_lines(folder / "judgements.jsonl", JudgementRecord)))
    assert 0 < kept < 48
    with (folder / FILE).open("ab") as file:
        file.write(b'{"dialogue":"cut by the ki')
    done = subprocess.run(command, env=players, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert len(votes_in(folder)) == 48 and len({vote.key for vote in votes_in(folder)}) == 48
    asked = Counter(log.read_text().split())
    assert len(asked) == 48
    # Only what the judge was about to answer when it was killed can be asked twice.
    assert sum(asked.values()) - 48 <= ASKS_A_CALL and max(asked.values()) <= 2
    before = log.read_text()
    again = subprocess.run(command, env=players, capture_output=True, text=True, timeout=200, check=False)
    assert again.returncode == 0 and log.read_text() == before


def test_ctrl_c_leaves_an_arena_that_can_be_taken_up_again(
    players: dict[str, str], runs: list[Path], tmp_path: Path
) -> None:
    """Otherwise a script could not tell a stopped arena from a finished one."""
    folder = tmp_path / "arena"
    command = [
        sys.executable, "-m", "speechzoo", "arena", *map(str, runs), "--judge", "longer",
        "--out", str(folder), "--set", "judge.delay=0.3",
    ]  # fmt: skip
    running = subprocess.Popen(
        command, env=players, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 100
    while not (folder / "judgements.jsonl").exists():
        assert running.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    running.send_signal(signal.SIGTERM)
    _, told = running.communicate(timeout=60)
    assert running.returncode == 143 and "the same command takes the arena up again" in told
    assert any("of 24 battles were played" in warning for warning in arena_report(folder).warnings)


def test_other_options_are_refused_with_what_differs(runs: list[Path], tmp_path: Path) -> None:
    """Otherwise verdicts of two protocols would be mixed in one table."""
    folder = arena_of(runs, tmp_path / "arena", "longer", battles=3)
    assert len(votes_in(folder)) == 6
    with pytest.raises(StoreError, match=r"options.ties: True there, False now"):
        arena_of(runs, folder, "longer", options=Options(ties=False))
    with pytest.raises(StoreError, match=r"judge.adapter: longer there, moody now"):
        arena_of(runs, folder, "moody")
    with pytest.raises(StoreError, match=r"systems.short"):
        arena_of(runs[1:], folder, "longer")
    # A higher ceiling is no other arena: what was judged stays.
    arena_of(runs, folder, "longer", battles=10)
    assert len(votes_in(folder)) == 20


def test_judges_that_fail_are_counted_and_asked_again(runs: list[Path], tmp_path: Path) -> None:
    """Otherwise an outage would pass for ties, or its battles would be lost for good."""
    folder = arena_of(runs, tmp_path / "arena", "longer", settings=["judge.fault=unreachable"])
    failed = [vote for vote in votes_in(folder) if vote.verdict is None]
    assert 0 < len(failed) < 48
    assert {vote.outcome.reason for vote in failed if isinstance(vote.outcome, Failed)} == {"judge_error"}
    arena_of(runs, folder, "longer", settings=["judge.fault=unreachable"])
    assert len(votes_in(folder)) == 48, "the same failure is written down once"
    report = arena_report(folder)
    assert report.judges is not None and report.judges.judges[0].failed == {"judge_error": len(failed)}
    assert any(f"{len(failed)} of 48 votes have no verdict" in told for told in report.warnings)
    assert sum(bool(vote.failure) for own in report.meetings for vote in own.votes) == len(failed)
    (cost,) = report.costs
    assert cost.input_tokens == 100 * (48 - len(failed)) and cost.cost is None


def test_what_is_no_valid_form_is_asked_for_again_once_a_call(runs: list[Path], tmp_path: Path) -> None:
    """Otherwise one slip of the judge would leave a battle without a result for good."""
    log = tmp_path / "log"
    settings = ["judge.fault=no-form", f"judge.log={log}"]
    folder = arena_of(runs, tmp_path / "arena", "longer", settings=settings)
    failed = sum(vote.verdict is None for vote in votes_in(folder))
    assert 0 < failed < 48 and set(Counter(log.read_text().split()).values()) == {1}
    arena_of(runs, folder, "longer", settings=settings)
    assert Counter(Counter(log.read_text().split()).values()) == {1: 48 - failed, 2: failed}
    assert len(votes_in(folder)) == 48


def test_a_ceiling_of_cost_holds_and_can_be_raised(runs: list[Path], tmp_path: Path) -> None:
    """Otherwise an arena could cost a user more than they allowed."""
    settings = ["judge.price=0.1"]
    folder = arena_of(runs, tmp_path / "arena", "longer", settings=settings, max_cost=1.5)
    assert len(votes_in(folder)) == 15
    assert all(vote.verdict is not None for vote in votes_in(folder))
    report = arena_report(folder)
    assert report.costs[0].cost == pytest.approx(1.5)
    assert report.arena.planned and (report.played, report.arena.planned.battles) == (7, 24)
    assert any("7 of 24 battles were played" in told for told in report.warnings)
    arena_of(runs, folder, "longer", settings=settings, max_cost=100.0)
    assert len(votes_in(folder)) == 48
    whole = arena_report(folder)
    assert whole.costs[0].cost == pytest.approx(4.8) and whole.played == 24
    assert not whole.unfinished


def test_repeats_that_a_ceiling_left_out_are_told(runs: list[Path], tmp_path: Path) -> None:
    """Otherwise a reader takes a judge's agreement with itself to rest on as many verdicts as were wanted."""
    settings = ["judge.price=0.1"]
    folder = arena_of(runs, tmp_path / "arena", "longer", settings=settings, repeats=10, max_cost=4.95)
    report = arena_report(folder)
    assert (report.played, report.repeated) == (24, 2)
    (told,) = report.unfinished
    assert told.startswith("2 of 10 verdicts were asked for once more") and told in report.warnings
    arena_of(runs, folder, "longer", settings=settings, repeats=10, max_cost=100.0)
    assert not arena_report(folder).unfinished


def test_what_has_no_verdict_is_not_missed_among_repeats(runs: list[Path], tmp_path: Path) -> None:
    """Otherwise an arena with a judge that fails would be unfinished for ever."""
    folder = arena_of(runs, tmp_path / "arena", "longer", settings=["judge.fault=no-form"], repeats=48)
    report = arena_report(folder)
    assert 0 < report.repeated < 48 and not report.unfinished


def test_an_arena_that_is_not_played_out_exits_with_1(
    players: dict[str, str], runs: list[Path], tmp_path: Path
) -> None:
    """Otherwise a script would take a third of an arena for all of it."""
    command = [
        sys.executable, "-m", "speechzoo", "arena", *map(str, runs), "--judge", "longer",
        "--out", str(tmp_path / "arena"), "--set", "judge.price=0.1", "--max-judge-cost",
    ]  # fmt: skip

    def play(cost: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, cost], env=players, capture_output=True, text=True, timeout=200, check=False
        )

    stopped = play("0.5")
    assert stopped.returncode == 1 and "of 24 battles were played" in stopped.stdout, stopped.stderr
    assert play("100").returncode == 0


def test_two_cannot_play_in_one_folder(runs: list[Path], tmp_path: Path) -> None:
    """Otherwise two processes would pay for the same verdicts and write over each other."""
    with locked(tmp_path / "arena"), pytest.raises(StoreError, match="in use"):
        arena_of(runs, tmp_path / "arena", "longer")


def test_a_judge_without_a_key_is_met_before_anybody_listens(runs: list[Path], tmp_path: Path) -> None:
    """Otherwise a recogniser hears all replies of a benchmark before a slip of the user's shows."""
    folder = tmp_path / "arena"
    with pytest.raises(SetupError, match="it has no key"):
        arena_of(runs, folder, "longer", settings=["judge.fault=no-key"])
    assert not folder.exists()
