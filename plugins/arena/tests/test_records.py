"""Votes as they are kept and read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from speechzoo import SpeechzooError

from speechzoo_arena.records import FILE, Vote, failures, read_votes

FAILED = {"reason": "judge_error", "detail": "the answer is no JSON"}


def test_what_is_written_is_read(vote: Any, keep: Any) -> None:
    """Otherwise votes and verdicts would lose a field between playing and rating."""
    whole = vote(
        "A", "B", "tie", group="semantic", kind="human", judge="p-7", repeat=2, reason="both fine",
        raw='{"winner": "tie"}', seconds={"first": 3.5, "second": 0}, words={"first": 9, "second": 0},
        usage={"input_tokens": 5, "output_tokens": 6, "cost": 0.01},
    )  # fmt: skip
    failed = vote("A", "B", FAILED)
    read = read_votes(keep("run", [whole, failed]))
    assert [own.model_copy(update={"created": whole.created}) for own in read] == [whole, failed]


@pytest.mark.parametrize(
    "change",
    [
        {"outcome": "frist"},
        {"outcome": {"reason": "Judge Error"}},
        {"second": "A"},
        {"kind": "robot"},
        {"created": "2026-01-01T00:00:00"},
        {"seconds": {"first": float("inf"), "second": 1}},
        {"seconds": {"first": -1, "second": 1}},
        {"score": 1},
    ],
)
def test_nonsense_is_refused(vote: Any, change: dict[str, Any]) -> None:
    """Otherwise a misspelt verdict would be counted as a failure's reason, or a system would meet itself."""
    good = vote("A", "B").model_dump()
    with pytest.raises(ValidationError):
        Vote.model_validate({**good, **change})


def test_a_later_attempt_replaces_a_failure(vote: Any, keep: Any) -> None:
    """Otherwise a battle that was tried again would stay failed, or be counted twice."""
    read = read_votes(keep("run", [vote("A", "B", FAILED), vote("C", "B"), vote("A", "B", "second")]))
    assert [(own.first, own.outcome) for own in read] == [("C", "first"), ("A", "second")]
    assert failures(read) == {}


def test_two_verdicts_on_one_thing_are_refused(vote: Any, keep: Any) -> None:
    """Otherwise a battle judged twice by mistake would weigh double, or one verdict would silently win."""
    folder = keep("run", [vote("A", "B"), vote("A", "B", "second")])
    with pytest.raises(SpeechzooError, match=r"votes\.jsonl: judge judges A against B on d0 twice"):
        read_votes(folder)
    repeats = keep("repeats", [vote("A", "B"), vote("A", "B", "second", repeat=1)])
    assert len(read_votes(repeats)) == 2


def test_a_damaged_line_is_an_error(vote: Any, keep: Callable[..., Path]) -> None:
    """Otherwise a verdict that was changed by hand would count."""
    folder = keep("run", [vote("A", "B"), vote("B", "C")])
    text = (folder / FILE).read_text()
    (folder / FILE).write_text(text.replace('"outcome":"first"', '"outcome":"second"', 1))
    with pytest.raises(SpeechzooError, match=r"line 1 .*checksum"):
        read_votes(folder)


def test_a_folder_without_votes_is_told(tmp_path: Path) -> None:
    """Otherwise a wrong path would give a report on nothing."""
    with pytest.raises(SpeechzooError, match=r"no votes: there is no votes\.jsonl"):
        read_votes(tmp_path)


def test_failures_are_counted_by_reason(vote: Any) -> None:
    """Otherwise failed battles would vanish, as they do in the reference."""
    given = [
        vote("A", "B", FAILED),
        vote("B", "A", FAILED),
        vote("A", "C", {"reason": "invalid_material"}),
        vote("B", "C"),
    ]
    assert failures(given) == {"judge_error": 2, "invalid_material": 1}


def test_what_was_withdrawn_was_never_said(vote: Any, keep: Any) -> None:
    """Otherwise a vote taken back would count, or would stop every report on the folder."""
    back = vote("A", "B", {"reason": "withdrawn"})
    assert read_votes(keep("gone", [vote("A", "B"), back])) == []
    read = read_votes(keep("anew", [vote("A", "B"), back, vote("A", "B", "second"), vote("C", "B")]))
    assert [(own.first, own.outcome) for own in read] == [("A", "second"), ("C", "first")]
    assert failures(read) == {}
