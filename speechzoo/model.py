"""What a model under test must be able to do."""

from collections.abc import Sequence
from typing import Protocol

from speechzoo.asks import (
    Ask,
    Failure,
    MultiScoreAsk,
    ReplyAnswer,
    ReplyAsk,
    ScoreAnswer,
    ScoreAsk,
    continuations_of,
    dialogue_of,
)
from speechzoo.dialogue import clips_of, parts_of
from speechzoo.specs import Capability


class Model(Protocol):
    """A loaded model: made as ``Class(setup, **parameters)``.

    Batches come in, answers go out in the same order. An ask that cannot be answered gives a
    `Failure` in its place; an exception makes the runner ask the others of the batch again without
    it. No state may pass from one call to the next. A model implements the methods its declared
    capabilities need.

    One that declares ``stream`` has ``stream(ask: ReplyAsk) -> Iterator[ReplyAnswer]`` as well: pieces of
    text and speech as they come, which put together are the reply.
    """

    def score(self, asks: Sequence[ScoreAsk]) -> Sequence[ScoreAnswer | Failure]:
        """Log-likelihoods of each ask's continuations after its context."""
        ...

    def reply(self, asks: Sequence[ReplyAsk]) -> Sequence[ReplyAnswer | Failure]:
        """One reply to each dialogue, as text or speech or both."""
        ...

    def close(self) -> None:
        """Frees memory and devices."""
        ...


def required_capabilities(ask: Ask) -> frozenset[Capability]:
    """What a model must declare to be given this ask."""
    messages = dialogue_of(ask)
    hears = bool(clips_of(messages))
    needed = {Capability.AUDIO_IN} if hears else set()
    if any(isinstance(part, str) for part in parts_of(messages)):
        needed.add(Capability.TEXT_IN)
    if isinstance(ask, ScoreAsk | MultiScoreAsk):
        needed.add(Capability.SCORE_UNDER_AUDIO if hears else Capability.SCORE_UNDER_TEXT)
        if any(not isinstance(part, str) for part in continuations_of(ask)):
            needed.add(Capability.SCORE_SPEECH)
        return frozenset(needed)
    needed.add(Capability.SPEECH_OUT if ask.speech else Capability.TEXT_OUT)
    if len([m for m in messages if m.role != "system"]) > 1:
        needed.add(Capability.MULTI_TURN)
    return frozenset(needed)
