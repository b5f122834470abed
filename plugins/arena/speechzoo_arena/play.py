"""Plays an arena: puts meetings to the judge and keeps each verdict as it comes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from speechzoo import Failure, ItemError, Judge, JudgeAsk, Judgement
from speechzoo.audio import MAX_SECONDS
from speechzoo.run.describe import digest
from speechzoo.run.judge import JudgementFile
from speechzoo.run.progress import Progress
from speechzoo.run.store import AppendFile, read_lines
from speechzoo.run.wire import writable

from speechzoo_arena import records, verdict
from speechzoo_arena.arena_file import ArenaFile, plan_battles
from speechzoo_arena.entries import Entry, Side, met
from speechzoo_arena.material import pair_material
from speechzoo_arena.pairing import Meeting
from speechzoo_arena.records import Failed, Vote
from speechzoo_arena.schedule import Scores, drawn_again, most_battles, schedule

JUDGEMENTS = "judgements.jsonl"
SPENT = "judge_budget"


class _BudgetSpentError(Exception):
    """The ceiling of cost is reached: nothing more is asked."""


@dataclass(frozen=True)
class Table:
    """Where battles are judged.

    Attributes:
        folder: the arena's.
        arena: its description.
        judge: who decides.
        entries: by dialogue.
        max_cost: in US dollars, of all that the judge says in this folder; None for no ceiling.
    """

    folder: Path
    arena: ArenaFile
    judge: Judge
    entries: Mapping[str, Entry]
    max_cost: float | None


def play(table: Table, battles: int | None, repeats: int, progress: Progress) -> None:
    """Plays all battles that have no verdict yet; what failed before is tried again.

    Args:
        table: who judges what, and where.
        battles: a ceiling; None for all that the pairing knows.
        repeats: so many verdicts, drawn by lot, are asked for once more.
        progress: is told how far it is.

    Raises:
        SetupError: the judge cannot be asked on this machine, or a ceiling was set for a judge that does not
            tell what it costs.
    """
    options = table.arena.options
    can_meet = met(list(table.entries.values()))
    groups = {dialogue: entry.group for dialogue, entry in table.entries.items()}
    everything = most_battles(can_meet, options)
    ceiling = everything if battles is None else min(battles, everything)
    orders = 2 if options.orders == "both" else 1
    plan_battles(table.folder, ceiling, min(repeats, orders * ceiling))
    votes = [own for own in read_lines(table.folder / records.FILE, Vote) if own.kind == "model"]
    scores = Scores([own for own in votes if own.judge == table.arena.judge.name])
    path, identity = table.folder / JUDGEMENTS, table.arena.judge.identity
    file = AppendFile(table.folder / records.FILE)
    try:
        with JudgementFile(path, table.judge, identity, table.max_cost) as judgements:
            progress.stage("battles", ceiling, 0)
            for count, meetings in schedule(can_meet, options, scores, ceiling, groups):
                _judge(table, judgements, file, scores, meetings, 0)
                progress.advance(count)
            again = drawn_again(scores, repeats, options.seed)
            if again:
                progress.stage("once more", len(again), 0)
            for meeting in again:
                wanted = [] if scores.has(meeting, 1) else [meeting]
                _judge(table, judgements, file, scores, wanted, 1)
                progress.advance(1)
    except _BudgetSpentError as spent:
        progress.say(f"stopped: {spent}; raise --max-judge-cost to go on")
    finally:
        file.close()


def _judge(
    table: Table,
    judgements: JudgementFile,
    file: AppendFile,
    scores: Scores,
    meetings: Sequence[Meeting],
    repeat: int,
) -> None:
    """Asks for verdicts and keeps them, failures among them."""
    asks: dict[Meeting, JudgeAsk] = {}
    outcomes: dict[Meeting, Judgement | Failure] = {}
    for meeting in meetings:
        try:
            asks[meeting] = _ask(table, meeting, repeat)
        except ItemError as error:
            outcomes[meeting] = _unjudgeable(error)
    outcomes |= dict(zip(asks, judgements.ask(list(asks.values())), strict=True))
    spent = [own for own in outcomes.values() if isinstance(own, Failure) and own.reason == SPENT]
    votes = [
        _vote(table, meeting, repeat, asks.get(meeting), outcome)
        for meeting, outcome in outcomes.items()
        if outcome not in spent
    ]
    # A judge that fails in the same way at every call would fill the file with one and the same line.
    new = [vote for vote in votes if not _is_known_failure(vote, scores.last(vote))]
    file.append(new)
    for vote in new:
        scores.add(vote)
    if spent:
        raise _BudgetSpentError(spent[0].detail)


def _is_known_failure(vote: Vote, before: Vote | None) -> bool:
    return before is not None and vote.verdict is None and vote.outcome == before.outcome


def _ask(table: Table, meeting: Meeting, repeat: int) -> JudgeAsk:
    """Raises `ItemError` if the material is incomplete, or longer than the judge can hear."""
    entry = table.entries[meeting.dialogue]
    for name in (meeting.first, meeting.second):
        if name in entry.unusable:
            raise ItemError("invalid_material", f"{name}: {entry.unusable[name]}")
    sides = [entry.sides[name] for name in (meeting.first, meeting.second)]
    hears = table.arena.judge.hears
    material = pair_material(*(side.exchanges for side in sides), hears=hears)
    limit = min(table.arena.judge.longest_seconds or MAX_SECONDS, MAX_SECONDS)
    if hears and (seconds := material.seconds) > limit:
        told = f"both dialogues take {seconds:.0f} s, the limit is {limit:.0f} s"
        raise ItemError("too_long_for_judge", told)
    ties = table.arena.options.ties
    return JudgeAsk(
        instruction=verdict.instruction(entry.item, ties),
        material=material.parts(),
        form=verdict.form(ties),
        repeat=repeat,
    )


def _unjudgeable(error: ItemError) -> Failure:
    """Of the material: a clip that is missing or cannot be read, or too much of it."""
    if error.reason in ("invalid_material", "too_long_for_judge"):
        return Failure(error.reason, error.detail)
    return Failure("invalid_material", str(error))


def _vote(
    table: Table, meeting: Meeting, repeat: int, ask: JudgeAsk | None, outcome: Judgement | Failure
) -> Vote:
    entry = table.entries[meeting.dialogue]
    first, second = (entry.sides.get(name) for name in (meeting.first, meeting.second))
    judge = table.arena.judge
    common = {
        "dialogue": meeting.dialogue,
        "group": entry.group,
        "cluster": entry.cluster,
        "first": meeting.first,
        "second": meeting.second,
        "judge": judge.name,
        "kind": "model",
        "repeat": repeat,
        "seconds": _both(first, second, "seconds"),
        "words": _both(first, second, "words"),
        "created": datetime.now(UTC),
        "basis": digest([judge.identity, ask.digest])[:32] if ask else "",
        "replies": _both(first, second, "digest"),
    }
    if isinstance(outcome, Failure):
        failed = Failed(reason=outcome.reason, detail=writable(outcome.detail))
        return Vote.model_validate({**common, "outcome": failed})
    assert outcome.answer is not None
    winner, reason = verdict.read_verdict(outcome.answer)
    usage = outcome.usage
    return Vote.model_validate(
        {
            **common,
            "outcome": winner,
            "reason": writable(reason),
            "raw": writable(outcome.raw),
            "usage": {
                "input_tokens": usage.input_tokens,
                "output_tokens": usage.output_tokens,
                "cost": usage.cost,
            },
        }
    )


def _both(first: Side | None, second: Side | None, name: str) -> dict[str, float | str] | None:
    own, others = (getattr(side, name) if side else None for side in (first, second))
    return None if own is None or others is None else {"first": own, "second": others}
