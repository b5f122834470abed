"""Items of a text task, read strictly: a question, and accepted answers or options."""

import re
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from speechzoo.jsonl import Row, refuse_duplicates

QUESTION = "question"
# As prompts of lm-eval end.
_ANSWER = re.compile(r"\s*\b(?:Answer|A):\s*$")


@dataclass(frozen=True)
class Fields:
    """The names under which a source keeps what an item is made of.

    Attributes:
        question: of the text; "" for the source's own, which is ``question`` in a file.
        answers: of the accepted answers, one or a list; rows may lack it.
        options: of a list of texts, or of ARC's ``{"text": [...], "label": [...]}``; rows may lack it.
        correct: of the right option: its index, letter, label or text.
        attributes: that results are broken down by.
    """

    question: str = ""
    answers: str = "answers"
    options: str = "options"
    correct: str = "correct"
    attributes: tuple[str, ...] = ()


@dataclass(frozen=True)
class TextItem:
    """A question in writing; without answers and options only a judge can rate what is replied."""

    id: str
    question: str
    answers: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    correct: int | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)

    def with_options(self) -> str:
        """The question with lettered options below it, and an ``Answer:`` at its end below these.

        A question that names the letters itself is left as it is.
        """
        if self.options == tuple(string.ascii_uppercase[: len(self.options)]):
            return self.question
        listed = zip(string.ascii_uppercase, self.options, strict=False)
        answer = _ANSWER.search(self.question)
        asked = self.question[: answer.start()] if answer else self.question
        ending = [answer[0].strip()] if answer else []
        return "\n".join([asked, *(f"{letter}. {option}" for letter, option in listed), *ending])


def read_items(rows: Sequence[Row], fields: Fields) -> list[TextItem]:
    """One item for each row; those without ``id`` are known by their place, counted from 1.

    Raises:
        SpeechzooError: a row is malformed, or two have one id; file, line and field are named.
    """
    named = [replace(row, values={"id": place} | row.values) for place, row in enumerate(rows, start=1)]
    items = [_item(row, fields) for row in named]
    refuse_duplicates(named, "id")
    return items


def _item(row: Row, fields: Fields) -> TextItem:
    answers = tuple(_answers(row, fields.answers))
    options = tuple(_options(row, fields.options))
    if answers and options:
        raise row.error(f"{fields.answers!r} and {fields.options!r} exclude each other")
    return TextItem(
        id=_id(row),
        question=row.text(fields.question or QUESTION).strip(),
        answers=answers,
        options=options,
        correct=_correct(row, fields, options) if options else None,
        attributes=dict(_attributes(row, fields.attributes)),
    )


def _id(row: Row) -> str:
    value = row.values["id"]
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        raise row.error(f"'id' must be a text or a whole number, not {value!r}")
    return str(value)


def _answers(row: Row, key: str) -> list[str]:
    value = row.values.get(key)
    if value is None:
        return []
    values = value if isinstance(value, list) else [value]
    if not values or not all(_is_plain(one) and str(one).strip() for one in values):
        raise row.error(f"{key!r} must be a text, a number or a list of such, not {value!r}")
    return [str(one) for one in values]


def _options(row: Row, key: str) -> list[str]:
    value = row.values.get(key)
    if value is None:
        return []
    texts = value.get("text") if isinstance(value, dict) else value
    if not isinstance(texts, list) or not all(_is_plain(one) and str(one).strip() for one in texts):
        raise row.error(f"{key!r} must be a list of texts, or an object with the list 'text', not {value!r}")
    if not 2 <= len(texts) <= len(string.ascii_uppercase):
        raise row.error(f"{key!r}: there are 2 to {len(string.ascii_uppercase)} options, not {len(texts)}")
    return [str(one) for one in texts]


def _correct(row: Row, fields: Fields, options: Sequence[str]) -> int:
    """An index counts from 0; a text is a label, an option or a letter, in this order."""
    value = row.values.get(fields.correct)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(options):
        return value
    raw = row.values[fields.options]
    labels = raw.get("label") if isinstance(raw, dict) else None
    letters = string.ascii_uppercase[: len(options)]
    for names in (labels or (), options, letters):
        if isinstance(value, str) and list(names).count(value) == 1:
            return list(names).index(value)
    raise row.error(
        f"{fields.correct!r} must be the index (from 0), letter, label or text of one of {len(options)} "
        f"options, not {value!r}"
    )


def _attributes(row: Row, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    own = row.values.get("attributes") or {}
    if not isinstance(own, dict) or not all(map(_is_plain, own.values())):
        raise row.error(f"'attributes' must be an object of texts and numbers, not {own!r}")
    yield from ((name, str(value)) for name, value in own.items())
    for name in names:
        if not _is_plain(row.values.get(name)):
            raise row.error(f"{name!r} must be a text or a number, not {row.values.get(name)!r}")
        yield name, str(row.values[name])


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float)
