"""Replies that systems gave elsewhere: the JSON file that MTalk-Bench's code reads."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from speechzoo import AudioClip, Item, SpeechzooError

from speechzoo_mtalk_bench.dialogues import Replies, Reply, item_id

TYPES = {"Semantic information": "sem", "Paralinguistic information": "para", "Ambient sound": "amb"}

_RECORD = re.compile(r"record_(\d+-\d+)")
_FILE_NAME = re.compile(r"(\d+-\d+)-turn\d+_(sem|para|amb)")


@dataclass
class RepliesFile:
    """What was read.

    Attributes:
        systems: replies by system.
        skipped: what was left out, and why, a sentence each.
    """

    systems: dict[str, Replies] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)


def read_replies(file: Path, items: Sequence[Item]) -> RepliesFile:
    """The replies to these items; paths are relative to the file.

    Args:
        file: three lists of dialogues under the keys of `TYPES`. A dialogue is a list of turns, each
            ``{question: path, dialogue: {system: path}, dialogue_transcription: {system: text}}``.
        items: of the task.

    Raises:
        SpeechzooError: the file cannot be read or is no such JSON.
    """
    read = RepliesFile()
    turns_of = {item.id: len(item.data["turns"]) for item in items}
    seen: set[str] = set()
    for where, kind, turns in _dialogues(file, read.skipped):
        found = _item_of(kind, turns)
        if found not in turns_of:
            named = f"{found} is no item of the task" if found else "its question names no such dialogue"
            read.skipped.append(f"{where}: {named}")
        elif found in seen:
            read.skipped.append(f"{where}: {found} stands in the file already")
        else:
            seen.add(found)
            for number, turn in enumerate(turns, start=1):
                _read_turn(f"{where}, turn {number}", turn, found, number, turns_of[found], file.parent, read)
    return read


def _dialogues(file: Path, skipped: list[str]) -> Iterator[tuple[str, str, list[Any]]]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SpeechzooError(f"{file} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict) or not any(key in content for key in TYPES):
        raise SpeechzooError(f"{file}: must be an object with one of the keys {', '.join(TYPES)}")
    for key, dialogues in content.items():
        if key not in TYPES:
            skipped.append(f"{key}: is none of {', '.join(TYPES)}")
        elif not isinstance(dialogues, list):
            raise SpeechzooError(f"{file}: {key} must be a list of dialogues")
        else:
            for place, turns in enumerate(dialogues, start=1):
                if not isinstance(turns, list) or not turns:
                    skipped.append(f"{key}, dialogue {place}: is no list of turns")
                else:
                    yield f"{key}, dialogue {place}", TYPES[key], turns


def _item_of(kind: str, turns: list[Any]) -> str:
    """The item whose question the first turn names, "" if it names none or one of another type."""
    question = turns[0].get("question") if isinstance(turns[0], dict) else None
    if not isinstance(question, str):
        return ""
    named = _FILE_NAME.search(question)
    if named and named[2] != kind:
        return ""
    number = _RECORD.search(question) or named
    return item_id(kind, number[1]) if number else ""


def _read_turn(
    where: str, turn: object, item: str, number: int, turns: int, folder: Path, read: RepliesFile
) -> None:
    if number > turns:
        read.skipped.append(f"{where}: {item} has {turns} turns")
        return
    replies = turn.get("dialogue") if isinstance(turn, dict) else None
    if not isinstance(turn, dict) or not isinstance(replies, dict):
        read.skipped.append(f"{where}: has no 'dialogue' of systems and paths")
        return
    texts = turn.get("dialogue_transcription")
    for system, path in replies.items():
        if not isinstance(path, str) or not path:
            read.skipped.append(f"{where}: {system} has no path")
            continue
        text = texts.get(system) if isinstance(texts, Mapping) else None
        reply = Reply(AudioClip.from_file(folder / path), text if isinstance(text, str) else None)
        read.systems.setdefault(system, {}).setdefault(item, {})[number] = reply
