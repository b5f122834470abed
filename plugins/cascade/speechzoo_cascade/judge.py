"""A judge on one's own machine: any model that scores or replies."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from speechzoo import (
    Failure,
    ItemError,
    JudgeAsk,
    Judgement,
    Model,
    ReplyAnswer,
    ReplyAsk,
    ScoreAnswer,
    ScoreAsk,
    Setup,
    user,
)
from speechzoo.dialogue import Part
from speechzoo.judging import RULE_OF_QUOTES, Usage, read_form

_FREE = Usage(cost=0.0)

Field = tuple[str, ...]
"""A field of a form by the names that lead to it."""


class LocalJudge:
    """Fills in forms with the help of a model.

    Scored, every field that has few values gets the one which the model finds likeliest as its answer, by
    the sum of log-likelihoods; texts, such as reasons, stay empty. So even a small model always gives a
    judgement, whatever it is worth. Written, the model writes the whole form, and what is no such form is no
    judgement.

    Args:
        setup: its part ``llm`` judges.
        answers: ``scored`` or ``written``.
        hears: the model is given clips; otherwise it is to be given transcripts.
        max_tokens: of a form that is written.
    """

    longest_seconds: float | None = None

    def __init__(
        self, setup: Setup, answers: str = "scored", hears: bool = False, max_tokens: int = 512
    ) -> None:
        self.hears = hears
        self._llm = cast(Model, setup.part("llm"))
        self._scored = answers == "scored"
        self._max_tokens = max_tokens

    def judge(self, asks: Sequence[JudgeAsk]) -> list[Judgement | Failure]:
        return self._score(asks) if self._scored else self._write(asks)

    def close(self) -> None:
        self._llm.close()

    def _score(self, asks: Sequence[JudgeAsk]) -> list[Judgement | Failure]:
        fields = [_fields_of(ask) for ask in asks]
        questions = [
            _question(ask, field, values)
            for ask, own in zip(asks, fields, strict=True)
            for field, values in own.items()
            if len(values) > 1
        ]
        answers = iter(self._llm.score(questions) if questions else ())
        return [_filled_in(ask, own, answers) for ask, own in zip(asks, fields, strict=True)]

    def _write(self, asks: Sequence[JudgeAsk]) -> list[Judgement | Failure]:
        forms = [json.dumps(ask.form.model_json_schema()) for ask in asks]
        wanted = [
            ReplyAsk(
                (user(*_material(ask), f"\n\nAnswer with JSON of this schema and nothing else:\n{form}"),),
                max_tokens=self._max_tokens,
            )
            for ask, form in zip(asks, forms, strict=True)
        ]
        told = self._llm.reply(wanted)
        return [_read(ask, answer) for ask, answer in zip(asks, told, strict=True)]


def _material(ask: JudgeAsk) -> list[Part]:
    return [f"{ask.instruction}\n\n{RULE_OF_QUOTES}\n\n", *ask.material]


def _fields_of(ask: JudgeAsk) -> dict[Field, list[Any]]:
    schema = ask.form.model_json_schema()
    fields = dict(_fields(schema, schema.get("$defs", {})))
    if endless := [".".join(field) for field, values in fields.items() if not values]:
        raise ItemError(
            "cannot_choose",
            f"the form's {', '.join(endless)} can have any value: let it be written (judge.answers=written)",
        )
    return fields


def _fields(
    schema: Mapping[str, Any], shared: Mapping[str, Any], field: Field = ()
) -> Iterator[tuple[Field, list[Any]]]:
    """The fields of a JSON Schema with the values to choose from: of a text only the empty one.

    Of alternatives the first that can be chosen counts; a number has nothing to choose from.
    """
    if "$ref" in schema:
        yield from _fields(shared[schema["$ref"].rpartition("/")[2]], shared, field)
    elif "anyOf" in schema:
        alternatives = [list(_fields(one, shared, field)) for one in schema["anyOf"]]
        yield from next((own for own in alternatives if all(values for _, values in own)), alternatives[0])
    elif "enum" in schema or "const" in schema:
        yield field, schema.get("enum", [schema.get("const")])
    elif schema.get("type") == "boolean":
        yield field, [True, False]
    elif schema.get("type") == "string":
        yield field, [""]
    elif "properties" not in schema:
        yield field, []
    else:
        for name, inner in schema.get("properties", {}).items():
            yield from _fields(inner, shared, (*field, name))


def _question(ask: JudgeAsk, field: Field, values: Sequence[Any]) -> ScoreAsk:
    texts = tuple(_text(value) for value in values)
    wanted = f"\n\nWhat is your answer for {'.'.join(field)}? Say one of: {', '.join(texts)}."
    return ScoreAsk((user(*_material(ask), wanted),), texts, chat=True)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _filled_in(
    ask: JudgeAsk, fields: Mapping[Field, list[Any]], answers: Iterator[ScoreAnswer | Failure]
) -> Judgement | Failure:
    """The form, with the likeliest value in each field that has several; takes as many answers."""
    asked = {field: next(answers) for field, values in fields.items() if len(values) > 1}
    if failure := next((one for one in asked.values() if isinstance(one, Failure)), None):
        return failure
    likely = {field: answer.scores for field, answer in asked.items() if isinstance(answer, ScoreAnswer)}
    form: dict[str, Any] = {}
    for field, values in fields.items():
        place = 0
        if field in likely:
            place = max(range(len(values)), key=lambda i: likely[field][i].log_likelihood)
        inner = form
        for name in field[:-1]:
            inner = inner.setdefault(name, {})
        inner[field[-1]] = values[place]
    return _checked(ask, json.dumps(form))


def _read(ask: JudgeAsk, answer: ReplyAnswer | Failure) -> Judgement | Failure:
    return answer if isinstance(answer, Failure) else _checked(ask, answer.text or "")


def _checked(ask: JudgeAsk, raw: str) -> Judgement:
    try:
        return Judgement(read_form(raw, ask.form), raw, _FREE)
    except ValueError:
        return Judgement(None, raw, _FREE)
