"""What a judge is asked about a reply, and what its judgements are worth."""

from collections.abc import Sequence
from statistics import mean
from typing import Any, Literal

from pydantic import BaseModel
from speechzoo import Failure, ItemError, JudgeAsk, Judgement
from speechzoo.judging import quoted

from speechzoo_spoken_qa.grading import GRADINGS, boards_scale
from speechzoo_spoken_qa.questions import Question


class Verdict(BaseModel):
    """Whether a reply gives one of the accepted answers."""

    correct: bool


class Rating5(BaseModel):
    """How good a reply is, 1 to 5."""

    rating: Literal[1, 2, 3, 4, 5]


class Rating10(BaseModel):
    """How good a reply is, 1 to 10."""

    rating: Literal[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]


_FORMS: dict[int, type[BaseModel]] = {0: Verdict, 5: Rating5, 10: Rating10}
_VERDICT = (
    "A user asked a voice assistant a question. Say whether the assistant's reply gives one of the accepted "
    "answers: other words for the same thing are right; a reply that contradicts them, leaves the question "
    'open or names several different things is wrong. The answer is JSON: {"correct": true or false}.'
)
_RATING = (
    "Rate the reply of a voice assistant to a user. Consider whether it is helpful, relevant, accurate and "
    "as deep and detailed as the question wants; a reply that is to be listened to may be short. Rate from "
    '1, useless, to {scale}, excellent. The answer is JSON: {{"rating": 1 to {scale}}}.'
)


def judge_asks(question: Question, reply: str, judgements: int) -> list[JudgeAsk]:
    """So many equal asks about a reply.

    Raises:
        ItemError: the data do not tell the question's text.
    """
    if question.text is None:
        raise ItemError(
            "no_text", f"the data do not tell the text of {question.id}, which the judge is to read"
        )
    scale = GRADINGS[question.kind].scale
    material = [quoted("question", question.text + question.after), "\n"]
    if not scale:
        material += [quoted("accepted answers", "\n".join(question.gold.answers)), "\n"]
    material.append(quoted("reply", reply))
    instruction = _RATING.format(scale=scale) if scale else _VERDICT
    return [
        JudgeAsk(instruction, tuple(material), _FORMS[scale], repeat=number) for number in range(judgements)
    ]


def by_judge(question: Question, judgements: Sequence[Judgement | Failure]) -> dict[str, float] | Failure:
    """The mean rating, as it is and out of 100, or whether most judgements say that the reply is right.

    Failures: ``not_judged``, and that of the first judgement that could not be had.
    """
    if not judgements:
        return Failure("not_judged", "the judge was not asked")
    forms: list[dict[str, Any]] = []
    for judgement in judgements:
        if isinstance(judgement, Failure):
            return judgement
        forms.append(judgement.answer or {})
    scale = GRADINGS[question.kind].scale
    if not scale:
        return {"judged": float(mean(form["correct"] for form in forms) > 0.5)}
    rating = mean(form["rating"] for form in forms)
    return {"rating": rating, boards_scale(scale): rating * (100 // scale)}
