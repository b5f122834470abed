"""Which pair a voter hears next, and in which order."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from speechzoo.run.describe import digest

from speechzoo_arena.arena_file import Options
from speechzoo_arena.pairing import Entries, Meeting
from speechzoo_arena.schedule import Scores, most_battles, schedule

APART = 5
"""Ballots between a pair and the same pair in the other order, as far as there are so many."""

Choose = Callable[[Sequence[Meeting]], Meeting]
"""One of the pairs that were not heard yet."""


@dataclass(frozen=True)
class Plan:
    """All that one voter is asked.

    Attributes:
        meetings: each pair on each dialogue that they can be asked, once, in one order.
        battles: so many of these they are asked.
        again: which of those come a second time, in the other order: places from 0 in the order heard.
    """

    meetings: tuple[Meeting, ...]
    battles: int
    again: tuple[int, ...]

    def __len__(self) -> int:
        return self.battles + len(self.again)


def make_plan(
    entries: Entries, voter: str, *, battles: int | None, again: float, seed: int, active: bool = False
) -> Plan:
    """A voter's plan; the same arguments give the same one.

    Dialogues come once before one comes a second time. Of each pair of systems, the one that is heard first
    changes from dialogue to dialogue; who begins is drawn for each voter.

    Args:
        entries: who can meet on which dialogue.
        voter: whose.
        battles: so many pairs at most.
        again: the share of pairs that come a second time in the other order.
        seed: of all that is drawn.
        active: which pairs they are is chosen while they vote, from all there are.
    """
    own = int(digest([seed, voter])[:12], 16)
    options = Options(orders="one", seed=own)
    most = most_battles(entries, options)
    asked = most if battles is None else min(battles, most)
    ceiling = most if active else asked
    drawn = [one for _, batch in schedule(entries, options, Scores([]), ceiling) for one in batch]
    count = round(again * asked)
    # The last ones, if they can be spared, would come again too soon.
    among = max(count, asked - APART)
    chosen = sorted(np.random.default_rng([own, 1]).permutation(among).tolist()[:count])
    return Plan(tuple(_in_turns(drawn)), asked, tuple(chosen))


def next_meeting_of(plan: Plan, heard: Sequence[Meeting], choose: Choose) -> Meeting | None:
    """What the voter hears next; None at the end.

    Args:
        plan: theirs.
        heard: what they have voted on, oldest first.
        choose: one of the pairs that are left.
    """
    known, long_ago = set(heard), set(heard[:-APART])
    asked = _asked(plan, heard)
    lacking = [own for own in _again(plan, asked) if own not in known]
    due = [own for own in lacking if own.swapped in long_ago]
    if due:
        return due[0]
    if len(asked) < plan.battles:
        return choose([own for own in plan.meetings if own not in known])
    return lacking[0] if lacking else None


def votes_of(plan: Plan, heard: Sequence[Meeting]) -> int:
    """How many of the plan's votes are among those heard."""
    asked = _asked(plan, heard)
    return len(asked) + sum(own in heard for own in _again(plan, asked))


def _asked(plan: Plan, heard: Sequence[Meeting]) -> list[Meeting]:
    """What was heard of the plan for the first time, oldest first."""
    meetings = set(plan.meetings)
    return [own for own in heard if own in meetings][: plan.battles]


def _again(plan: Plan, asked: Sequence[Meeting]) -> list[Meeting]:
    """What comes a second time of what was asked so far."""
    return [asked[place].swapped for place in plan.again if place < len(asked)]


def everything(plan: Plan) -> list[Meeting]:
    """The plan in the order in which it is heard by somebody who votes on all of it."""
    heard: list[Meeting] = []
    while (following := next_meeting_of(plan, heard, lambda left: left[0])) is not None:
        heard.append(following)
    return heard


def _in_turns(meetings: Sequence[Meeting]) -> list[Meeting]:
    """The same, with both systems of a pair first in turns; its first meeting stays as it is."""
    met: Counter[frozenset[str]] = Counter()
    begins: dict[frozenset[str], str] = {}
    turned = []
    for own in meetings:
        pair = frozenset((own.first, own.second))
        usual = begins.setdefault(pair, own.first) == own.first
        turned.append(own if usual == (met[pair] % 2 == 0) else own.swapped)
        met[pair] += 1
    return turned
