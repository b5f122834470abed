"""Where each subset's records and audio lie, and the items they become."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from speechzoo import AudioClip, Item, SpeechzooError
from speechzoo.jsonl import Row, read_jsonl, refuse_duplicates

from speechzoo_s2sbench.protocol import Kind, Language
from speechzoo_s2sbench.records import (
    LETTERS,
    Choice,
    Pair,
    Pairing,
    Stories,
    Story,
    read_choices,
    read_stories,
    read_uttid,
)

DIGITS_OR_LATIN = re.compile(r"[0-9A-Za-z０-９Ａ-Ｚａ-ｚ]")
UNKNOWN_SUBJECT = "unknown"
NAMES_SHOWN = 10


@dataclass(frozen=True)
class Subset:
    """One of a benchmark's data sets; paths are relative to the folder of the data.

    Attributes:
        kind: of records and protocol.
        language: of text and speech.
        records: the JSONL file.
        audio: the folder of ``<uttid>.wav``; "" if each record names its file in the field ``audio``.
        reference_id: what the reference code's configuration and result folders call it.
    """

    kind: Kind
    language: Language
    records: str
    audio: str = ""
    reference_id: str = ""


S2SBENCH = {
    "sstorycloze": Subset(
        kind="stories",
        language="en",
        records="S2S/StoryCloze/sStory_s2t.jsonl",
        audio="S2S/StoryCloze/s-story-firstspeech",
        reference_id="sStory_s2t",
    ),
    "zh-sstorycloze": Subset(
        kind="stories",
        language="zh",
        records="S2S/StoryCloze/zh_story.jsonl",
        audio="S2S/StoryCloze/zh_story",
        reference_id="zh_story",
    ),
    "scmmlu": Subset(
        kind="choices",
        language="zh",
        records="S2S/cmmlu/cmmlu_rewrite_4.jsonl",
        audio="S2S/cmmlu/cmmlu_rewrite",
        reference_id="cmmlu_write_4",
    ),
}

MINI = {
    "stories": Subset(kind="stories", language="en", records="stories.jsonl"),
    "choices": Subset(kind="choices", language="en", records="choices.jsonl"),
}

# A bin's width in words or characters: some ten bins over the lengths of the contexts.
LENGTHS: dict[Language, tuple[str, int]] = {"en": ("context_words", 10), "zh": ("context_characters", 20)}


@dataclass(frozen=True)
class Loaded:
    """The items of one subset, and what a reader of the report must know of its data."""

    items: tuple[Item, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Source:
    """A subset in a folder.

    Attributes:
        name: of the subset.
        subset: what it is.
        folder: of all the data.
        pairing: of story records.
        subjects: of choice questions by uttid; None if no file was given.
    """

    name: str
    subset: Subset
    folder: Path
    pairing: Pairing = "checked"
    subjects: Mapping[str, str] | None = None

    def load(self) -> Loaded:
        """Reads the records; no audio is opened.

        An item's data are ``kind``, ``language``, ``right`` (index of the plausible continuation), and
        for each continuation: ``uttids``, ``keys`` (its letter, or None), ``firsts`` (its context),
        ``clips`` (the context as speech), ``continuations``, and ``recordings`` (path of the continuation
        as speech, or None).

        Raises:
            SpeechzooError: a file is missing or damaged, or story records do not pair.
        """
        file = self.folder / self.subset.records
        if self.subset.kind == "choices":
            items = tuple(map(self._choice_item, read_choices(file)))
            return Loaded(items, (*_choice_notes(self.name, items), *_equal_note(self.name, items)))
        stories = read_stories(file, self.pairing)
        items = tuple(map(self._story_item, stories.pairs))
        return Loaded(items, (*_story_notes(self, stories), *_equal_note(self.name, items)))

    def _story_item(self, pair: Pair) -> Item:
        stories = (pair.plausible, pair.implausible)
        return self._item(
            pair.plausible,
            uttids=[story.uttid for story in stories],
            keys=[None, None],
            firsts=[story.first for story in stories],
            clips=[self._clip(story) for story in stories],
            continuations=[story.last for story in stories],
            recordings=[self._recording(story.row, "last_audio") for story in stories],
            right=0,
        )

    def _choice_item(self, choice: Choice) -> Item:
        options = len(choice.options)
        return self._item(
            choice,
            uttids=[choice.uttid] * options,
            keys=list(LETTERS),
            firsts=[choice.first] * options,
            clips=[self._clip(choice)] * options,
            continuations=list(choice.options),
            recordings=[self._recording(choice.row, f"{letter}_audio") for letter in LETTERS],
            right=choice.right,
        )

    def _item(self, record: Story | Choice, **data: object) -> Item:
        return Item(
            id=f"{self.name}-{record.uttid}",
            data={"kind": self.subset.kind, "language": self.subset.language, **data},
            attributes=dict(self._attributes(record)),
            cluster=record.row.text("set") if "set" in record.row.values else None,
        )

    def _attributes(self, record: Story | Choice) -> Iterator[tuple[str, str]]:
        yield "subset", self.name
        if "voice" in record.row.values:
            yield "voice", record.row.text("voice")
        name, width = LENGTHS[self.subset.language]
        length = len(record.first) if self.subset.language == "zh" else len(record.first.split())
        yield name, length_bin(length, width)
        if self.subset.kind == "choices":
            if "subject" in record.row.values:
                yield "subject", record.row.text("subject")
            elif self.subjects is not None:
                yield "subject", self.subjects.get(record.uttid, UNKNOWN_SUBJECT)
        if self.subset.language == "zh":
            yield "digits_or_latin", "yes" if DIGITS_OR_LATIN.search(record.first) else "no"

    def _clip(self, record: Story | Choice) -> AudioClip:
        if self.subset.audio:
            path = self.folder / self.subset.audio / f"{record.uttid}.wav"
        else:
            path = record.row.path("audio", self.folder)
        return AudioClip.from_file(path, transcript=record.first, language=self.subset.language)

    def _recording(self, row: Row, field: str) -> str | None:
        return str(row.path(field, self.folder)) if field in row.values else None


def check_records(folder: Path, wanted: Mapping[str, Subset]) -> None:
    """Checks that the records of every subset are there.

    Raises:
        SpeechzooError: some are not; the message names the first of them and the likely way out.
    """
    there = [name for name, subset in wanted.items() if (folder / subset.records).is_file()]
    if not (lacking := [name for name in wanted if name not in there]):
        return
    records = Path(wanted[lacking[0]].records)
    told = f"{folder / records} is missing: the records of {lacking[0]}."
    if len(records.parts) > 1 and not (folder / records.parts[0]).is_dir():
        told += f" Is {folder} the folder that holds {records.parts[0]}/?"
    if there:
        told += f" A subset can be run alone: --task NAME/SUBSET, here with {' or '.join(there)}"
    raise SpeechzooError(told)


def read_subjects(file: str) -> dict[str, str]:
    """Subjects of choice questions by uttid, from JSON Lines with ``uttid`` and ``subject``.

    Raises:
        SpeechzooError: the file is missing or damaged, a line has no id or no subject, or an id stands
            twice.
    """
    rows = read_jsonl(Path(file))
    subjects = {read_uttid(row): row.text("subject") for row in rows}
    refuse_duplicates(rows, "uttid")
    return subjects


def length_bin(length: int, width: int) -> str:
    """A length as the bin it is in: ``20-29``."""
    low = length // width * width
    return f"{low}-{low + width - 1}"


def _story_notes(source: Source, stories: Stories) -> Iterator[str]:
    """Counts as found; nothing here is expected to be a certain number."""
    names = [story.uttid for story in stories.left_over]
    which = (
        f" ({', '.join(names[:NAMES_SHOWN])}{', ...' if len(names) > NAMES_SHOWN else ''})" if names else ""
    )
    yield (
        f"{source.name}: {stories.records} records, {len(stories.pairs)} pairs (pairing={source.pairing}), "
        f"records left over: {len(names)}{which}."
    )
    if apart := sum(pair.implausible.key != pair.plausible.key + 1 for pair in stories.pairs):
        yield f"{source.name}: pairs whose keys do not follow each other: {apart}."
    if differing := sum(pair.plausible.first != pair.implausible.first for pair in stories.pairs):
        yield (
            f"{source.name}: pairs of two different contexts: {differing}; each continuation is scored after "
            "its own."
        )


def _choice_notes(name: str, items: Sequence[Item]) -> Iterator[str]:
    yield f"{name}: {len(items)} questions."
    if unknown := sum(item.attributes.get("subject") == UNKNOWN_SUBJECT for item in items):
        yield f"{name}: questions of unknown subject: {unknown}."


def _equal_note(name: str, items: Sequence[Item]) -> Iterator[str]:
    """Such a comparison is a tie whatever the model is."""
    if equal := sum(_has_equals(item.data["continuations"], item.data["right"]) for item in items):
        yield f"{name}: items with a wrong continuation that is equal to the right one: {equal}."


def _has_equals(continuations: Sequence[str], right: int) -> bool:
    return continuations.count(continuations[right]) > 1
