"""Spoken questions of one's own: a folder with ``items.jsonl``, the audio, and a manifest of their hashes."""

import json
from collections.abc import Iterator, Sequence, Set
from pathlib import Path
from typing import Literal

from speechzoo import AudioClip, SpeechzooError
from speechzoo.jsonl import Row, read_jsonl, refuse_duplicates
from speechzoo.weights import verify_files

from speechzoo_spoken_qa.golds import LETTERS
from speechzoo_spoken_qa.matching import exist_tokens, findable, matches, normalised_tokens
from speechzoo_spoken_qa.questions import Kind, Loaded, Question, listed
from speechzoo_spoken_qa.rules import Gold

FORMAT = "speechzoo-spoken-items"
VERSION = 1
ITEMS = "items.jsonl"
UNINTELLIGIBLE = "unintelligible"
BIN = 5

Flagged = Literal["leave_out", "keep"]


def read_items(folder: Path, flagged: Flagged = "leave_out") -> Loaded:
    """The questions of a folder that ``speechzoo synth`` wrote, or that is laid out like one.

    Args:
        folder: with ``manifest.json``, ``items.jsonl`` and the audio.
        flagged: what becomes of items whose recording a transcriber could not understand.

    Raises:
        SpeechzooError: the folder is another's, a file is missing or not the one of the manifest, or a row
            is malformed; the line is named.
    """
    told, chosen_by = _verified(folder)
    rows = read_jsonl(folder / ITEMS)
    refuse_duplicates(rows, "id")
    kept = [row for row in rows if flagged == "keep" or UNINTELLIGIBLE not in _texts(row, "flags")]
    questions = tuple(_question(row, folder, told) for row in kept)
    return Loaded(questions, (*_notes(rows, kept, questions), *chosen_by))


def _verified(folder: Path) -> tuple[Set[str], tuple[str, ...]]:
    """The files that the manifest tells the SHA-256 of, all of them checked; and how clips were chosen."""
    file = folder / "manifest.json"
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SpeechzooError(
            f"{file} cannot be read ({error}): is {folder} a folder that speechzoo synth wrote?"
        ) from error
    if not isinstance(manifest, dict):
        raise SpeechzooError(f"{file} must be an object, not {type(manifest).__name__}")
    found = (manifest.get("format"), manifest.get("version"))
    if found != (FORMAT, VERSION):
        raise SpeechzooError(f"{file}: the format is {FORMAT} {VERSION}, not {found[0]} {found[1]}")
    files = manifest.get("files")
    if not isinstance(files, dict) or not all(isinstance(digest, str) for digest in files.values()):
        raise SpeechzooError(f"{file}: 'files' must tell the SHA-256 of each file by its name, not {files!r}")
    if ITEMS not in files:
        raise SpeechzooError(f"{file}: 'files' does not tell the SHA-256 of {ITEMS}")
    verify_files(folder, files)
    chosen_by = manifest.get("chosen_by")
    return files.keys(), (chosen_by,) if isinstance(chosen_by, str) else ()


def _question(row: Row, folder: Path, told: Set[str]) -> Question:
    text, spoken = row.text("question"), row.text("spoken")
    audio = row.path("audio", folder)
    if audio.relative_to(folder).as_posix() not in told:
        raise row.error(f"the manifest does not tell the SHA-256 of {row.text('audio')}")
    kind, gold = _gold(row)
    own = row.values.get("attributes", {})
    if not isinstance(own, dict):
        raise row.error(f"'attributes' must be an object, not {own!r}")
    given = {name: row.text(name) for name in ("voice", "channel") if row.values.get(name) is not None}
    return Question(
        id=row.text("id"),
        kind=kind,
        text=text,
        clip=AudioClip.from_file(audio, transcript=spoken, language=_language(row)),
        gold=gold,
        # What is spoken is the question as it is written, read aloud: it names the options if that does.
        after="" if _names_all(text, gold.options) else listed(gold.options),
        attributes={
            **{name: str(value) for name, value in own.items()},
            **given,
            "question_words": length_bin(text),
        },
    )


def _gold(row: Row) -> tuple[Kind, Gold]:
    """What a reply is held against: answers, or options; a row without either can only be judged."""
    answers, options = _texts(row, "answers"), _texts(row, "options")
    if answers and options:
        raise row.error("'answers' and 'options' exclude each other")
    if answers:
        return "answers", Gold(answers=_findable(row, answers))
    if not options:
        return "rating_10", Gold()
    if not 2 <= len(options) <= len(LETTERS):
        raise row.error(f"there are 2 to {len(LETTERS)} options, not {len(options)}")
    correct = row.values.get("correct")
    if isinstance(correct, bool) or not isinstance(correct, int) or not 0 <= correct < len(options):
        raise row.error(f"'correct' must be the index of one of {len(options)} options, not {correct!r}")
    return "options", Gold(options=options, correct=correct)


def _texts(row: Row, key: str) -> tuple[str, ...]:
    values = row.values.get(key)
    if values is None:
        return ()
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise row.error(f"{key!r} must be a list of texts, not {values!r}")
    return tuple(values)


def _findable(row: Row, answers: Sequence[str]) -> tuple[str, ...]:
    """The answers, if each has a word that could be found in a reply.

    Raises:
        SpeechzooError: one has none; it would be found in every reply.
    """
    for answer in answers:
        if not all(findable([answer], tokens) for tokens in (exist_tokens, normalised_tokens)):
            raise row.error(f"the accepted answer {answer!r} has no word that could be found")
    return tuple(answers)


def _language(row: Row) -> str:
    return row.text("language") if "language" in row.values else "en"


def _names_all(text: str, options: Sequence[str]) -> bool:
    """Whether every option stands in a text, as words of its own."""
    return all(matches(text, [option], normalised_tokens) for option in options)


def length_bin(text: str) -> str:
    """How many words a text has, in fives: ``5-9``."""
    low = len(text.split()) // BIN * BIN
    return f"{low}-{low + BIN - 1}"


def _notes(rows: Sequence[Row], kept: Sequence[Row], questions: Sequence[Question]) -> Iterator[str]:
    if left_out := len(rows) - len(kept):
        yield (
            f"{left_out} of {len(rows)} items are left out: a transcriber did not understand their recording "
            "(flagged=keep asks them all the same)."
        )
    judged = sum(question.kind == "rating_10" for question in questions)
    if 0 < judged < len(questions):
        yield f"{judged} of {len(questions)} items have neither answers nor options: a judge rates replies."
