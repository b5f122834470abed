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
        meetings: each pair on each dialogue once, in one order.
        again: those of them that come a second time, in the other order.
    """

    meetings: tuple[Meeting, ...]
    again: tuple[Meeting, ...]

    def __len__(self) -> int:
        return len(self.meetings) + len(self.again)


def make_plan(entries: Entries, voter: str, *, battles: int | None, again: float, seed: int) -> Plan:
    """A voter's plan; the same arguments give the same one.

    Dialogues come once before one comes a second time. Of each pair of systems, the one that is heard first
    changes from dialogue to dialogue; who begins is drawn for each voter.

    Args:
        entries: who can meet on which dialogue.
        voter: whose.
        battles: so many pairs at most.
        again: the share of pairs that come a second time in the other order.
        seed: of all that is drawn.
    """
    own = int(digest([seed, voter])[:12], 16)
    options = Options(orders="one", seed=own)
    most = most_battles(entries, options)
    ceiling = most if battles is None else min(battles, most)
    drawn = [one for _, batch in schedule(entries, options, Scores([]), ceiling) for one in batch]
    meetings = _in_turns(drawn)
    count = round(again * len(meetings))
    # The last ones, if they can be spared, would come again too soon.
    among = max(count, len(meetings) - APART)
    chosen = sorted(np.random.default_rng([own, 1]).permutation(among).tolist()[:count])
    return Plan(tuple(meetings), tuple(meetings[place].swapped for place in chosen))


def next_meeting_of(plan: Plan, heard: Sequence[Meeting], choose: Choose) -> Meeting | None:
    """What the voter hears next; None at the end.

    Args:
        plan: theirs.
        heard: what they have voted on, oldest first.
        choose: one of the pairs that are left.
    """
    known, long_ago = set(heard), set(heard[:-APART])
    left = [own for own in plan.meetings if own not in known]
    lacking = [own for own in plan.again if own not in known]
    due = [own for own in lacking if own.swapped in long_ago]
    if due:
        return due[0]
    if left:
        return choose(left)
    return lacking[0] if lacking else None


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
