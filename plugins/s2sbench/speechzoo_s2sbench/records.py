"""S2SBench's two record formats, read strictly, and the rules of pairing.

Formats and rules follow the reference code (github.com/undobug/S2SBench at 1fb472c). A story pair is two
records that no field links, so one missing record would silently shift all later pairs.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from speechzoo import SpeechzooError
from speechzoo.jsonl import Row, read_jsonl, refuse_duplicates

LETTERS = "ABCD"
FAULTS_SHOWN = 20

Pairing = Literal["checked", "sorted_adjacent", "parity"]
Record = TypeVar("Record")


@dataclass(frozen=True)
class Story:
    """A context and one continuation of it."""

    row: Row
    uttid: str
    key: int
    first: str
    last: str


@dataclass(frozen=True)
class Pair:
    """Two continuations, of one context if the data are sound."""

    plausible: Story
    implausible: Story


@dataclass(frozen=True)
class Stories:
    """A story file: how many records, their pairs by ascending key, and records without a partner."""

    records: int
    pairs: tuple[Pair, ...]
    left_over: tuple[Story, ...] = ()


@dataclass(frozen=True)
class Choice:
    """A stem and its four continuations; ``right`` is the index of the plausible one."""

    row: Row
    uttid: str
    first: str
    options: tuple[str, ...]
    right: int


def read_stories(file: Path, pairing: Pairing = "checked") -> Stories:
    """A story file's pairs.

    Args:
        file: JSON Lines, one record a continuation.
        pairing: ``sorted_adjacent`` is the reference's: neighbours by ascending key, the first one
            plausible. ``parity`` pairs keys 2k and 2k + 1, the even one plausible. ``checked`` accepts
            only data on which both agree and both records of every pair have one context.

    Raises:
        SpeechzooError: the file is damaged or its records do not pair; the line or the keys are named.
    """
    rows = read_jsonl(file)
    refuse_duplicates(rows, "uttid")
    stories = sorted(map(_story, rows), key=lambda story: story.key)
    if pairing == "checked":
        _check_pairs(file, stories)
    pairs = _parity_pairs(stories) if pairing == "parity" else _adjacent_stories(stories)
    paired = {story.uttid for pair in pairs for story in (pair.plausible, pair.implausible)}
    return Stories(len(stories), tuple(pairs), tuple(s for s in stories if s.uttid not in paired))


def read_choices(file: Path) -> list[Choice]:
    """The questions of a choice file, in the file's order.

    Raises:
        SpeechzooError: the file is damaged; the line is named.
    """
    rows = read_jsonl(file)
    refuse_duplicates(rows, "uttid")
    return [_choice(row) for row in rows]


def story_key(uttid: int | str) -> int:
    """What story records are sorted by: the id, or the number before its first underscore.

    Raises:
        ValueError: there is no such number.
    """
    return uttid if isinstance(uttid, int) else int(uttid.split("_")[0])


def adjacent_pairs(records: Sequence[Record], key: Callable[[Record], int]) -> list[tuple[Record, Record]]:
    """Neighbours by ascending key, the plausible one first; a last one without a neighbour is dropped."""
    ordered = sorted(records, key=key)
    return list(zip(ordered[::2], ordered[1::2], strict=False))


def _adjacent_stories(stories: Sequence[Story]) -> list[Pair]:
    return [Pair(*pair) for pair in adjacent_pairs(stories, lambda story: story.key)]


def _parity_pairs(stories: Sequence[Story]) -> list[Pair]:
    """The groups that are one even and one odd key; which of three would belong together nobody knows."""
    groups = _by_parity(stories).values()
    return [Pair(*group) for group in groups if [story.key % 2 for story in group] == [0, 1]]


def _by_parity(stories: Sequence[Story]) -> dict[int, list[Story]]:
    """Stories in ascending order of keys, by half their key."""
    groups: dict[int, list[Story]] = defaultdict(list)
    for story in stories:
        groups[story.key // 2].append(story)
    return groups


def _check_pairs(file: Path, stories: Sequence[Story]) -> None:
    """Whether pairing by position and pairing by parity, 2k with 2k + 1, agree."""
    faults = [told for group in _by_parity(stories).values() if (told := _fault(group))]
    if not faults:
        return
    more = [f"  and {len(faults) - FAULTS_SHOWN} more"] if len(faults) > FAULTS_SHOWN else []
    way_out = (
        "Mend the file, or say how its records pair: --set pairing=sorted_adjacent takes neighbours by "
        "ascending key, as the reference code does; --set pairing=parity takes 2k and 2k + 1 and leaves "
        "the others out"
    )
    lines = [*faults[:FAULTS_SHOWN], *more, way_out]
    raise SpeechzooError(f"{file}: the records do not pair as keys 2k and 2k + 1:\n" + "\n".join(lines))


def _fault(group: Sequence[Story]) -> str | None:
    keys = ", ".join(str(story.key) for story in group)
    if len({story.key for story in group}) < len(group):
        return f"  {keys}: a key stands twice"
    if len(group) < 2:
        return f"  {keys}: has no partner"
    if group[0].first != group[1].first:
        return f"  {keys}: the contexts differ"
    return None


def _story(row: Row) -> Story:
    uttid = read_uttid(row)
    try:
        return Story(row, uttid, story_key(uttid), row.text("first"), row.text("last"))
    except ValueError as error:
        raise row.error(f"'uttid' begins with no number: {uttid!r}") from error


def _choice(row: Row) -> Choice:
    answer = row.text("answer")
    if answer not in tuple(LETTERS):
        raise row.error(f"'answer' is {answer!r}, which is none of {', '.join(LETTERS)}")
    options = tuple(row.text(letter) for letter in LETTERS)
    return Choice(row, read_uttid(row), row.text("first"), options, LETTERS.index(answer))


def read_uttid(row: Row) -> str:
    """The id as text; the name of a file is made of it, so it may name no folder.

    Raises:
        SpeechzooError: there is none, or no such one.
    """
    uttid = row.values.get("uttid")
    if isinstance(uttid, bool) or not isinstance(uttid, int | str):
        raise row.error(f"'uttid' must be a number or a text, not {uttid!r}")
    name = str(uttid)
    if not name or any(character in name for character in "/\\\0"):
        raise row.error(f"'uttid' {uttid!r} cannot be the name of a file")
    return name
