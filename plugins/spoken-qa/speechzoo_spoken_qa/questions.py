"""The questions of a data set, read strictly."""

from dataclasses import dataclass
from pathlib import Path

from speechzoo import ItemError
from speechzoo.jsonl import Row, read_jsonl, refuse_duplicates

from speechzoo_spoken_qa.matching import exist_tokens, matches, normalised_tokens


@dataclass(frozen=True)
class Question:
    """A question, its recording and the answers that are accepted."""

    id: str
    text: str
    answers: tuple[str, ...]
    audio: Path
    voice: str
    topic: str


def read_questions(folder: Path) -> list[Question]:
    """The questions of ``questions.jsonl`` in this folder, in the file's order.

    Raises:
        SpeechzooError: the file is damaged, or an accepted answer is empty; the line is named.
    """
    rows = read_jsonl(folder / "questions.jsonl")
    refuse_duplicates(rows, "id")
    return [
        Question(
            id=row.text("id"),
            text=row.text("question"),
            answers=_answers(row),
            audio=row.path("audio", folder),
            voice=row.text("voice"),
            topic=row.text("topic"),
        )
        for row in rows
    ]


def _answers(row: Row) -> tuple[str, ...]:
    answers = row.values.get("answers")
    if not isinstance(answers, list) or not answers or not all(isinstance(a, str) for a in answers):
        raise row.error(f"'answers' must be a list of texts, not {answers!r}")
    try:
        for tokens in (exist_tokens, normalised_tokens):
            matches("", answers, tokens)
    except ItemError as error:
        raise row.error(error.detail) from error
    return tuple(answers)
