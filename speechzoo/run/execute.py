"""Asks a model a batch of asks, so that one bad ask fails alone. Runs inside a worker."""

import gc
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar

from speechzoo.asks import (
    Answer,
    Ask,
    DialogueAsk,
    Failure,
    MultiScoreAsk,
    ReplyAnswer,
    ReplyAsk,
    ScoreAnswer,
    ScoreAsk,
    checked,
    checked_reply,
    dialogue_answer,
    score_asks,
)
from speechzoo.dialogue import Dialogue, Message
from speechzoo.errors import ItemError, SetupError
from speechzoo.model import Model

Given = TypeVar("Given")
Made = TypeVar("Made")


def answer_batch(model: Model, asks: Sequence[Ask]) -> list[Answer | Failure]:
    """One answer or failure for each ask, in order, checked against the ask.

    Raises:
        SetupError: the machine lacks something the model needs.
    """
    answers: dict[int, Answer | Failure] = {}
    # Called only for asks of their kind: a model need not have the methods it declares no use of.
    for kind, method in (
        ((ScoreAsk, MultiScoreAsk), lambda several: _score(model, several)),
        (ReplyAsk, lambda several: model.reply(several)),
        (DialogueAsk, lambda dialogues: _converse(model, dialogues)),
    ):
        places = [i for i, ask in enumerate(asks) if isinstance(ask, kind)]
        if places:
            own: list[Any] = [asks[i] for i in places]
            answers.update(zip(places, isolating(method, own), strict=True))
    return [checked(ask, answers[i]) for i, ask in enumerate(asks)]


def isolating(
    method: Callable[[list[Given]], Sequence[Made | Failure]], batch: list[Given]
) -> list[Made | Failure]:
    """What the method makes of each; when it raises, halves the batch until the one at fault stands alone.

    Running out of memory is met in the same way: half the batch needs half the memory.

    Raises:
        SetupError: the method raised it.
    """
    try:
        made = list(method(batch))
        if len(made) != len(batch):
            raise RuntimeError(f"{len(batch)} were given, {len(made)} came back")
        return made
    except SetupError:  # this machine cannot run the model: no item's fault
        raise
    except ItemError as error:
        failure = Failure(error.reason, error.detail)
    except Exception as error:  # an adapter may raise anything; the item is invalid, the run goes on
        failure = Failure(_reason(error), f"{type(error).__name__}: {error}"[:500])
    if len(batch) == 1:
        return [failure]
    gc.collect()
    half = len(batch) // 2
    return isolating(method, batch[:half]) + isolating(method, batch[half:])


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
        means=any(answer.means for answer in scored),
    )


def _converse(model: Model, asks: Sequence[DialogueAsk]) -> list[Answer | Failure]:
    """All dialogues side by side, a turn at a time: turn 2 of every dialogue is one batch.

    The user goes on after a turn that failed: what the model says then is its own merit.
    """
    histories: list[Dialogue] = [ask.opening for ask in asks]
    replies: list[list[ReplyAnswer | Failure]] = [[] for _ in asks]
    for turn in range(max(len(ask.turns) for ask in asks)):
        places = [i for i, ask in enumerate(asks) if turn < len(ask.turns)]
        batch = [
            ReplyAsk((*histories[i], asks[i].turns[turn]), asks[i].speech, asks[i].max_tokens) for i in places
        ]
        for i, ask, answer in zip(places, batch, isolating(model.reply, batch), strict=True):
            reply = checked_reply(answer, ask.speech)
            replies[i].append(reply)
            histories[i] = (*ask.dialogue, _as_history(reply, asks[i].history))
    return [dialogue_answer(own) for own in replies]


def _as_history(reply: ReplyAnswer | Failure, kind: Literal["text", "speech"]) -> Message:
    """A reply as the assistant's turn; one that failed is silence."""
    if isinstance(reply, Failure):
        return Message("assistant", ())
    as_text = reply.clip is None or (kind == "text" and reply.text is not None)
    part = reply.text if as_text else reply.clip
    return Message("assistant", (part,) if part is not None else ())
