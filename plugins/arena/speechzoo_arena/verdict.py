"""What a judge is asked about two dialogues, the form it fills in, and the verdict in that."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator
from speechzoo import Item

from speechzoo_arena.records import Verdict

PROMPT = """\
You compare two models, A and B, which talked with the same user. What the user says is the same in both \
dialogues; the replies differ. Which model is the better partner in this conversation: does it understand \
what is said and how it is said, and is what it replies right, helpful and fitting?
Judge all turns together. Neither the order in which you meet the models nor the length of their replies \
is a merit."""
"""For data without a prompt of their own."""

_WINNERS: dict[str, Verdict] = {"Model A": "first", "Model B": "second", "tie": "tie"}


def _text(value: object) -> object:
    return "" if value is None else value


class _Form(BaseModel):
    reason: Annotated[str, BeforeValidator(_text)] = ""


class WithTies(_Form):
    """A verdict."""

    winner: Literal["Model A", "Model B", "tie"]


class WithoutTies(_Form):
    """A verdict that names a winner."""

    winner: Literal["Model A", "Model B"]


def form(ties: bool) -> type[BaseModel]:
    """Winner and reason; the reference knows no ties."""
    return WithTies if ties else WithoutTies


def instruction(item: Item, ties: bool) -> str:
    """The data's own prompt, or ours, and how to fill in the form."""
    names = '"Model A", "Model B", or "tie" if neither is better' if ties else '"Model A" or "Model B"'
    return (
        f'{item.data.get("arena_prompt") or PROMPT}\n\nThe answer is one JSON object: "reason", a sentence '
        f'or two, and "winner": {names}.'
    )


def read_verdict(answer: dict[str, Any]) -> tuple[Verdict, str]:
    """The verdict and its reason in a form that was filled in; model A is who was heard first."""
    return _WINNERS[answer["winner"]], answer.get("reason", "")
