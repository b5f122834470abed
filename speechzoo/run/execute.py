"""Asks a model a batch of asks, so that one bad ask fails alone. Runs inside a worker."""

import gc
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from speechzoo.asks import (
    Answer,
    Ask,
    DialogueAnswer,
    DialogueAsk,
    Failure,
    MultiScoreAsk,
    ReplyAnswer,
    ReplyAsk,
    ScoreAnswer,
    ScoreAsk,
    checked,
    score_asks,
)
from speechzoo.dialogue import Dialogue, Message
from speechzoo.errors import ItemError, SetupError
from speechzoo.model import Model

AnyAsk = TypeVar("AnyAsk", ScoreAsk | MultiScoreAsk, ScoreAsk, ReplyAsk, DialogueAsk)


def answer_batch(model: Model, asks: Sequence[Ask]) -> list[Answer | Failure]:
    """One answer or failure for each ask, in order, checked against the ask.

    Raises:
        SetupError: the machine lacks something the model needs.
    """
    answers: dict[int, Answer | Failure] = {}
    for kind, method in (
        ((ScoreAsk, MultiScoreAsk), lambda several: _score(model, several)),
        (ReplyAsk, model.reply),
        (DialogueAsk, lambda dialogues: _converse(model, dialogues)),
    ):
        places = [i for i, ask in enumerate(asks) if isinstance(ask, kind)]
        if places:
            own: list[Any] = [asks[i] for i in places]
            answers.update(zip(places, _isolating(method, own), strict=True))
    return [checked(ask, answers[i]) for i, ask in enumerate(asks)]


def _isolating(
    method: Callable[[list[AnyAsk]], Sequence[Answer | Failure]], asks: list[AnyAsk]
) -> list[Answer | Failure]:
    """Calls the method; when it raises, halves the batch until the ask at fault stands alone.

    Running out of memory is met in the same way: half the batch needs half the memory.
    """
    try:
        answers = list(method(asks))
        if len(answers) != len(asks):
            raise RuntimeError(f"{len(asks)} asks were given, {len(answers)} answers came back")
        return answers
    except SetupError:  # this machine cannot run the model: no item's fault
        raise
    except ItemError as error:
        failure = Failure(error.reason, error.detail)
    except Exception as error:  # an adapter may raise anything; the item is invalid, the run goes on
        failure = Failure(_reason(error), f"{type(error).__name__}: {error}"[:500])
    if len(asks) == 1:
        return [failure]
    gc.collect()
    half = len(asks) // 2
    return _isolating(method, asks[:half]) + _isolating(method, asks[half:])


def _reason(error: Exception) -> str:
    # torch's class is known by its name here: nothing outside lm/ and adapters imports torch.
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "out_of_memory"
    return "model_error"


def _score(model: Model, asks: Sequence[ScoreAsk | MultiScoreAsk]) -> list[Answer | Failure]:
    """All contexts in one call, then the scores that belong to one ask together again."""
    single = [one for ask in asks for one in score_asks(ask)]
    answers = list(model.score(single))
    if len(answers) != len(single):
        raise RuntimeError(f"{len(single)} asks were given, {len(answers)} answers came back")
    rest = iter(zip(single, answers, strict=True))
    return [
        _joined([checked(*next(rest)) for _ in ask.asks]) if isinstance(ask, MultiScoreAsk) else next(rest)[1]
        for ask in asks
    ]


def _joined(answers: Sequence[Answer | Failure]) -> Answer | Failure:
    if failure := next((answer for answer in answers if isinstance(answer, Failure)), None):
        return failure
    scored = [answer for answer in answers if isinstance(answer, ScoreAnswer)]
    heard = [answer.heard for answer in scored if answer.heard is not None]
    stages = {stage for answer in scored for stage in answer.timings}
    return ScoreAnswer(
        scores=tuple(score for answer in scored for score in answer.scores),
        heard=" ".join(heard) if len(heard) == len(scored) else None,
        timings={stage: sum(answer.timings.get(stage, 0.0) for answer in scored) for stage in sorted(stages)},
    )


def _converse(model: Model, asks: Sequence[DialogueAsk]) -> list[Answer | Failure]:
    """All dialogues side by side, a turn at a time: turn 2 of every dialogue is one batch."""
    histories: list[Dialogue] = [ask.opening for ask in asks]
    replies: list[list[ReplyAnswer]] = [[] for _ in asks]
    failed: dict[int, Failure] = {}
    for turn in range(max(len(ask.turns) for ask in asks)):
        places = [i for i, ask in enumerate(asks) if turn < len(ask.turns) and i not in failed]
        batch = [
            ReplyAsk((*histories[i], asks[i].turns[turn]), asks[i].speech, asks[i].max_tokens) for i in places
        ]
        answers = [
            checked(ask, answer) for ask, answer in zip(batch, _isolating(model.reply, batch), strict=True)
        ]
        for i, ask, answer in zip(places, batch, answers, strict=True):
            if isinstance(answer, ReplyAnswer):
                replies[i].append(answer)
                histories[i] = (*ask.dialogue, _as_history(answer))
            else:
                failed[i] = _in_turn(answer, turn)
    return [failed.get(i) or DialogueAnswer(tuple(replies[i])) for i in range(len(asks))]


def _as_history(answer: ReplyAnswer) -> Message:
    """A reply as the assistant's turn: its text if it has one, else its speech."""
    part = answer.text if answer.text is not None else answer.clip
    return Message("assistant", (part,) if part is not None else ())


def _in_turn(answer: Answer | Failure, turn: int) -> Failure:
    failure = answer if isinstance(answer, Failure) else Failure("wrong_answer_shape")
    return replace(failure, detail=f"turn {turn + 1}: {failure.detail}")
