"""Which meetings are put to the judge, and in which order: what is judged already is never put again."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
from speechzoo.run.describe import digest

from speechzoo_arena.arena_file import Options
from speechzoo_arena.elo import elo
from speechzoo_arena.orders import both_orders, one_order
from speechzoo_arena.pairing import Entries, Meeting, next_meeting, plan, reference_pair
from speechzoo_arena.records import Battle, Vote

TOGETHER = 4
"""Battles of a plan that are judged together: a judge far away is kept busy, and a kill loses little."""


class Scores:
    """The votes of one judge so far, in order of completion."""

    def __init__(self, votes: Sequence[Vote]) -> None:
        self._votes = {vote.key: vote for vote in votes}
        self.judged = {_place(vote) for vote in votes if vote.verdict is not None}

    def add(self, vote: Vote) -> None:
        self._votes.pop(vote.key, None)
        self._votes[vote.key] = vote
        if vote.verdict is not None:
            self.judged.add(_place(vote))

    def votes(self) -> list[Vote]:
        """Without repeats."""
        return [vote for vote in self._votes.values() if not vote.repeat]

    def last(self, vote: Vote) -> Vote | None:
        """What the judge said of the same thing before."""
        return self._votes.get(vote.key)

    def battles(self) -> list[Battle]:
        """Each pair on a dialogue once, both orders merged."""
        return list(both_orders(self.votes()).battles)

    def has(self, meeting: Meeting, repeat: int = 0) -> bool:
        return (meeting.dialogue, meeting.first, meeting.second, repeat) in self.judged


def _place(vote: Vote) -> tuple[str, str, str, int]:
    return vote.dialogue, vote.first, vote.second, vote.repeat


def most_battles(entries: Entries, options: Options) -> int:
    """All pairs on all dialogues; by the reference's rule one pair a dialogue."""
    if options.pairing == "reference":
        return sum(len(systems) > 1 for systems in entries.values())
    return sum(len(systems) * (len(systems) - 1) // 2 for systems in entries.values())


def schedule(
    entries: Entries,
    options: Options,
    scores: Scores,
    ceiling: int,
    groups: Mapping[str, str] | None = None,
) -> Iterator[tuple[int, list[Meeting]]]:
    """How many battles come next, and their meetings that have no verdict yet.

    Args:
        entries: who can meet on which dialogue.
        options: how pairs are chosen, and in which orders they are heard.
        scores: the votes so far; whoever iterates adds those that come.
        ceiling: most battles, those of an earlier call among them.
        groups: of dialogues; None where all are of one. The reference has Elo ratings for each.
    """
    if options.pairing == "plan":
        yield from _planned(entries, options, scores, ceiling)
    elif options.pairing == "active":
        yield from _active(entries, options, scores, ceiling)
    else:
        yield from _reference(entries, options, scores, ceiling, groups or {})


def _orders(meeting: Meeting, options: Options) -> list[Meeting]:
    return [meeting, meeting.swapped] if options.orders == "both" else [meeting]


def _without_verdict(meeting: Meeting, options: Options, scores: Scores) -> list[Meeting]:
    return [own for own in _orders(meeting, options) if not scores.has(own)]


def _planned(
    entries: Entries, options: Options, scores: Scores, ceiling: int
) -> Iterator[tuple[int, list[Meeting]]]:
    meetings = _spread(entries, options.seed, ceiling)
    for start in range(0, len(meetings), TOGETHER):
        batch = meetings[start : start + TOGETHER]
        yield len(batch), [own for one in batch for own in _without_verdict(one, options, scores)]


def _spread(entries: Entries, seed: int, ceiling: int) -> list[Meeting]:
    """So many battles, over as many dialogues as there are before a dialogue has a second one.

    The first are the same whatever the ceiling, so that an arena can be carried on with a higher one.
    """
    found: dict[tuple[str, frozenset[str]], Meeting] = {}
    for pairs in range(1, max((_pairs(systems) for systems in entries.values()), default=0) + 1):
        for own in plan(entries, pairs, seed=seed, both=False):
            found.setdefault((own.dialogue, frozenset((own.first, own.second))), own)
        if len(found) >= ceiling:
            break
    return list(found.values())[:ceiling]


def _pairs(systems: Sequence[str]) -> int:
    return len(list(combinations(systems, 2)))


def _active(
    entries: Entries, options: Options, scores: Scores, ceiling: int
) -> Iterator[tuple[int, list[Meeting]]]:
    """One battle after the other, each where it tells most; a battle begun before comes first."""
    candidates = plan(entries, max(map(_pairs, entries.values()), default=0), seed=options.seed, both=False)
    todo = {meeting: _without_verdict(meeting, options, scores) for meeting in candidates}
    done = sum(not lacking for lacking in todo.values())
    if done:
        yield done, []
    todo = {meeting: lacking for meeting, lacking in todo.items() if lacking}
    while todo and done < ceiling:
        begun = [own for own, lacking in todo.items() if len(lacking) < len(_orders(own, options))]
        chosen = begun[0] if begun else next_meeting(scores.battles(), list(todo), seed=options.seed)
        yield 1, todo.pop(chosen)
        done += 1


def _reference(
    entries: Entries, options: Options, scores: Scores, ceiling: int, groups: Mapping[str, str]
) -> Iterator[tuple[int, list[Meeting]]]:
    """One battle a dialogue, in drawn order; the pair is chosen by the Elo ratings in its group so far."""
    playable = sorted(dialogue for dialogue, systems in entries.items() if len(systems) > 1)
    order = np.random.default_rng(options.seed).permutation(len(playable)).tolist()
    for place in order[:ceiling]:
        dialogue = playable[place]
        begun = [vote for vote in scores.votes() if vote.dialogue == dialogue and vote.verdict is not None]
        if begun:
            meeting = Meeting(dialogue, begun[0].first, begun[0].second)
        else:
            generator = np.random.default_rng([options.seed, place])
            own = [vote for vote in scores.votes() if groups.get(vote.dialogue) == groups.get(dialogue)]
            pair = reference_pair(elo(one_order(own)), entries[dialogue], generator)
            meeting = Meeting(dialogue, *pair)
        yield 1, _without_verdict(meeting, options, scores)


def drawn_again(scores: Scores, count: int, seed: int) -> list[Meeting]:
    """Meetings with a verdict that are judged once more: so many, by lot.

    Each has a lot of its own, so that most of those drawn before are drawn again when there are more.
    """
    judged = [own for own in sorted(scores.judged) if not own[-1]]
    chosen = sorted(judged, key=lambda own: digest([seed, *own]))[:count]
    return [Meeting(dialogue, first, second) for dialogue, first, second, _ in chosen]
