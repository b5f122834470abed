"""S2SBench's two record formats, read strictly, and its rule of pairing.

Formats and rule follow the reference code (github.com/undobug/S2SBench at 1fb472c). A story pair is two
records that no field links, so one missing record would silently shift all later pairs.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from speechzoo import SpeechzooError
from speechzoo.jsonl import Row, read_jsonl, refuse_duplicates

LETTERS = "ABCD"

Record = TypeVar("Record")


@dataclass(frozen=True)
class Story:
    """A context and one continuation of it."""

    row: Row
    key: int
    first: str
    last: str


@dataclass(frozen=True)
class Pair:
    """Two continuations of one context."""

    plausible: Story
    implausible: Story


@dataclass(frozen=True)
class Choice:
    """A stem and its four continuations; ``right`` is the index of the plausible one."""

    row: Row
    uttid: str
    first: str
    options: tuple[str, ...]
    right: int


def read_stories(file: Path) -> list[Pair]:
    """The pairs of a story file, by ascending key.

    Raises:
        SpeechzooError: the file is damaged or its records do not pair; the line or the keys are named.
    """
    rows = read_jsonl(file)
    refuse_duplicates(rows, "uttid")
    stories = [Story(row, _key(row), row.text("first"), row.text("last")) for row in rows]
    _check_pairs(file, stories)
    return [Pair(*pair) for pair in adjacent_pairs(stories, lambda story: story.key)]


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


def _check_pairs(file: Path, stories: Sequence[Story]) -> None:
    """Whether pairing by position and pairing by parity, 2k with 2k + 1, agree."""
    by_pair: dict[int, list[Story]] = defaultdict(list)
    for story in stories:
        by_pair[story.key // 2].append(story)
    faults = [told for _, members in sorted(by_pair.items()) if (told := _fault(members))]
    if faults:
        raise SpeechzooError(f"{file}: the records do not pair as keys 2k and 2k + 1:\n" + "\n".join(faults))


def _fault(members: Sequence[Story]) -> str | None:
    keys = ", ".join(str(story.key) for story in members)
    if len({story.key for story in members}) < len(members):
        return f"  {keys}: a key stands twice"
    if len(members) < 2:
        return f"  {keys}: has no partner"
    if members[0].first != members[1].first:
        return f"  {keys}: the contexts differ"
    if members[0].last == members[1].last:
        return f"  {keys}: the continuations are the same"
    return None


def _key(row: Row) -> int:
    uttid = row.values.get("uttid")
    if isinstance(uttid, bool) or not isinstance(uttid, int | str):
        raise row.error(f"'uttid' must be a number, or a text that begins with one, not {uttid!r}")
    try:
        return story_key(uttid)
    except ValueError as error:
        raise row.error(f"'uttid' begins with no number: {uttid!r}") from error


def _choice(row: Row) -> Choice:
    answer = row.text("answer")
    if answer not in tuple(LETTERS):
        raise row.error(f"'answer' is {answer!r}, which is none of {', '.join(LETTERS)}")
    options = tuple(row.text(letter) for letter in LETTERS)
    return Choice(row, str(row.values.get("uttid")), row.text("first"), options, LETTERS.index(answer))
