"""Rows put together to dialogues, and the items that these become."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from speechzoo import AudioClip, Item, SpeechzooError
from speechzoo.jsonl import read_jsonl

from speechzoo_mtalk_bench.rows import PROMPTS, QUESTION, SUBSETS, Row, cues_of

NAMES_SHOWN = 10
UNKNOWN = "unknown"

Place = TypeVar("Place")

Key = tuple[str, str]
"""Type and number: a number alone names three dialogues."""


@dataclass(frozen=True)
class Reply:
    """What a system said in a turn, and its text where somebody wrote it down."""

    clip: AudioClip
    text: str | None


Replies = dict[str, dict[int, Reply]]
"""Of one system: by item, then turn from 1."""


@dataclass
class _Dialogue:
    questions: dict[int, Row] = field(default_factory=dict)
    replies: dict[tuple[str, int], Row] = field(default_factory=dict)


@dataclass(frozen=True)
class Dialogues:
    """All dialogues of a folder.

    Attributes:
        items: one a dialogue. Its data hold, by turn, ``turns`` (the user's clips, each with the spoken words
            as its transcript), ``transcriptions`` (the same with bracketed cues) and ``cues`` (lists of the
            cues alone); and the prompts ``arena_prompt``, ``rubric_prompt_general`` and
            ``rubric_prompt_specific``, "" where there is none.
        replies: of systems that the data hold replies of, by their name.
        notes: counts as found, and what is odd.
    """

    items: tuple[Item, ...]
    replies: Mapping[str, Replies]
    notes: tuple[str, ...]


def item_id(kind: str, number: str) -> str:
    return f"{SUBSETS[kind]}-{number}"


def make_dialogues(rows: Iterable[Row], capabilities: Mapping[Key, str] | None) -> Dialogues:
    """Rows of any order as dialogues in order.

    Args:
        rows: questions, and replies of systems.
        capabilities: what each dialogue tests, if anybody says so.

    Raises:
        SpeechzooError: a row repeats a turn, or there are no questions.
    """
    found: dict[Key, _Dialogue] = {}
    for row in rows:
        dialogue = found.setdefault((row.type, row.number), _Dialogue())
        if row.source == QUESTION:
            _put(dialogue.questions, row.turn, row)
        else:
            _put(dialogue.replies, (row.source, row.turn), row)
    ordered = {key: found[key] for key in sorted(found, key=_order) if found[key].questions}
    if not ordered:
        raise SpeechzooError("the data hold no turn of a user (source 'question')")
    items = tuple(_item(key, dialogue, capabilities) for key, dialogue in ordered.items())
    return Dialogues(items, _replies(ordered), tuple(_notes(found, items)))


def read_capabilities(file: Path) -> dict[Key, str]:
    """What each dialogue tests, from JSON Lines with ``type``, ``number`` and ``capability``.

    Raises:
        SpeechzooError: the file is missing or damaged, or names a dialogue twice.
    """
    capabilities: dict[Key, str] = {}
    for row in read_jsonl(file):
        key = (row.text("type"), row.text("number"))
        if key in capabilities:
            raise row.error(f"{' '.join(key)} stands twice")
        capabilities[key] = row.text("capability")
    return capabilities


def _put(rows: dict[Place, Row], place: Place, row: Row) -> None:
    if place in rows:
        raise SpeechzooError(
            f"{row.where}: turn {row.turn} of {row.type} {row.number} from {row.source!r} stands in "
            f"{rows[place].where} already"
        )
    rows[place] = row


def _order(key: Key) -> tuple[int, int, int]:
    scenario, record = key[1].split("-")
    return list(SUBSETS).index(key[0]), int(scenario), int(record)


def _item(key: Key, dialogue: _Dialogue, capabilities: Mapping[Key, str] | None) -> Item:
    turns = [dialogue.questions[turn] for turn in sorted(dialogue.questions)]
    attributes: dict[str, str | int | float] = {
        "subset": SUBSETS[key[0]],
        "scenario": key[1].partition("-")[0],
        "turns": len(turns),
    }
    if capabilities is not None:
        attributes["capability"] = capabilities.get(key, UNKNOWN)
    return Item(
        id=item_id(*key),
        data={
            "turns": [turn.clip for turn in turns],
            "transcriptions": [turn.transcription for turn in turns],
            "cues": [cues_of(turn.transcription) for turn in turns],
            **{name: next((t.prompts[name] for t in turns if name in t.prompts), "") for name in PROMPTS},
        },
        attributes=attributes,
    )


def _replies(dialogues: Mapping[Key, _Dialogue]) -> dict[str, Replies]:
    systems: dict[str, Replies] = {}
    for key, dialogue in dialogues.items():
        # A turn's place among those that are there, as the items count.
        places = {turn: place for place, turn in enumerate(sorted(dialogue.questions), start=1)}
        for (system, turn), row in dialogue.replies.items():
            if turn in places:
                of_item = systems.setdefault(system, {}).setdefault(item_id(*key), {})
                of_item[places[turn]] = Reply(row.clip, row.transcription or None)
    return systems


def _notes(found: Mapping[Key, _Dialogue], items: Sequence[Item]) -> Iterator[str]:
    counts = Counter((item.attributes["subset"], item.attributes["turns"]) for item in items)
    for subset in dict.fromkeys(item.attributes["subset"] for item in items):
        own = {turns: count for (name, turns), count in sorted(counts.items()) if name == subset}
        lengths = ", ".join(f"{count} of {turns} turns" for turns, count in own.items())
        yield f"{subset}: {sum(own.values())} dialogues ({lengths})."
    missing = (
        item_id(*key) for key, one in found.items() if max(one.questions, default=1) != len(one.questions)
    )
    yield from _named("dialogues that lack a turn of the user, or all of them", missing)
    for name in PROMPTS:
        yield from _named(f"dialogues without {name}", (i.id for i in items if not i.data[name]))
    silent = (i.id for i in items if not all(clip.transcript for clip in i.data["turns"]))
    yield from _named("dialogues with a turn without words, which cannot be asked as text", silent)
    repliers = Counter(system for one in found.values() for system, _ in one.replies)
    for system, count in sorted(repliers.items()):
        yield f"the data hold {count} replies of {system}: speechzoo mtalk-import makes a run of them."
    if unanswerable := sum(turn not in d.questions for d in found.values() for _, turn in d.replies):
        yield f"replies to turns that are not there: {unanswerable}."
    unknown = (i.id for i in items if i.attributes.get("capability") == UNKNOWN)
    yield from _named("dialogues of unknown capability", unknown)


def _named(what: str, names: Iterable[str]) -> Iterator[str]:
    """A sentence that counts and names, unless there is nothing."""
    if ordered := sorted(names):
        more = ", ..." if len(ordered) > NAMES_SHOWN else ""
        yield f"{what}: {len(ordered)} ({', '.join(ordered[:NAMES_SHOWN])}{more})."
