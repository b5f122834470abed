"""Criteria in a prompt, the form that asks for a verdict on each, and what a judge put into it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema, create_model, model_validator
from speechzoo import ItemError

_ID = re.compile(r"criteria_[sd]_\d+")
_WORDS = {"true": 1.0, "yes": 1.0, "false": 0.0, "no": 0.0}
_REASONS = ("reason", "reasoning", "explanation")


def criteria_of(prompt: str) -> tuple[str, ...]:
    """The ids of a prompt's criteria, ``criteria_s_1`` or ``criteria_d_1``, in order.

    Raises:
        ItemError: there is none.
    """
    if not (ids := tuple(dict.fromkeys(_ID.findall(prompt)))):
        raise ItemError("no_criteria", f"no id such as criteria_s_1 stands in the prompt {prompt[:100]!r}")
    return ids


def instruction(prompt: str, ids: Sequence[str]) -> str:
    """The data's prompt, and how to fill in the form."""
    return (
        f"{prompt}\n\nGive a verdict for each of {', '.join(ids)}: true if the criterion is satisfied, false "
        'if not. The answer is one JSON object: "reason", a sentence or two, and each id with its verdict.'
    )


def read_verdict(value: object) -> float | None:
    """From 0 to 1: a truth value, yes or no, such a number, or an object with one of these; else None."""
    if isinstance(value, bool | int | float):
        return float(value) if 0 <= value <= 1 else None
    if isinstance(value, str):
        word = value.strip().rstrip(".").lower()
        if word in _WORDS:
            return _WORDS[word]
        return read_verdict(float(word)) if re.fullmatch(r"\d+(\.\d+)?", word) else None
    if isinstance(value, Mapping):
        held = [read_verdict(inner) for name, inner in value.items() if name not in _REASONS]
        known = [verdict for verdict in held if verdict is not None]
        return known[0] if len(known) == 1 else None
    return None


_Verdict = Annotated[float | None, BeforeValidator(read_verdict), WithJsonSchema({"type": "boolean"})]


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def _demand_all(schema: dict[str, Any]) -> None:
    schema["required"] = list(schema["properties"])
    schema["additionalProperties"] = False


class Rubric(BaseModel):
    """A form to which `rubric_form` adds a verdict for each criterion."""

    model_config = ConfigDict(extra="allow", json_schema_extra=_demand_all)

    reason: Annotated[str, BeforeValidator(_text)] = ""

    @model_validator(mode="after")
    def _has_a_verdict(self) -> Self:
        if all(getattr(self, name) is None for name in type(self).model_fields if name != "reason"):
            raise ValueError("there is a verdict on none of the criteria")
        return self


def rubric_form(ids: Sequence[str]) -> type[BaseModel]:
    """A form with a reason and a verdict for each id.

    Its JSON Schema demands every id and truth values. An answer is read more kindly: what is missing or no
    verdict becomes None, so that one criterion is lost and not all, and unknown ids are kept to be counted.
    """
    fields: dict[str, Any] = dict.fromkeys(ids, (_Verdict, None))
    return create_model("Rubric", __base__=Rubric, **fields)


@dataclass(frozen=True)
class Verdicts:
    """What a judge says of one prompt's criteria.

    Attributes:
        valid: the verdicts that can be read, by id.
        invalid: ids without a verdict, and ids that no criterion has.
        reason: the judge's.
    """

    valid: Mapping[str, float]
    invalid: tuple[str, ...]
    reason: str


def read_verdicts(ids: Sequence[str], answer: Mapping[str, Any]) -> Verdicts:
    """The verdicts in a form that was filled in."""
    lacking = [name for name in ids if answer.get(name) is None]
    unknown = [name for name in answer if _ID.fullmatch(name) and name not in ids]
    return Verdicts(
        valid={name: float(answer[name]) for name in ids if name not in lacking},
        invalid=(*lacking, *unknown),
        reason=str(answer.get("reason", "")),
    )
