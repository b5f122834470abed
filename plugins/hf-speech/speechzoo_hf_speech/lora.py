"""Speech LLMs whose LoRA is on only where audio is heard: their text arm is their base LLM."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from speechzoo import Failure, ReplyAnswer, ReplyAsk, ScoreAnswer, ScoreAsk
from speechzoo.asks import dialogue_of
from speechzoo.dialogue import clips_of
from speechzoo_hf_speech.native import SpeechLLM

AskT = TypeVar("AskT", ScoreAsk, ReplyAsk)
T = TypeVar("T")


class LoraSpeechLLM(SpeechLLM):
    """Asks with clips and those without are answered apart, each with the weights made for them."""

    def score(self, asks: Sequence[ScoreAsk]) -> list[ScoreAnswer | Failure]:
        return self._apart(asks, super().score)

    def score_plainly(self, ask: ScoreAsk) -> ScoreAnswer | Failure:
        plainly = super().score_plainly
        return self._apart([ask], lambda asks: [plainly(one) for one in asks])[0]

    def reply(self, asks: Sequence[ReplyAsk]) -> list[ReplyAnswer | Failure]:
        return self._apart(asks, super().reply)

    def _apart(self, asks: Sequence[AskT], answer: Callable[[Sequence[AskT]], Sequence[T]]) -> list[T]:
        found: dict[int, T] = {}
        for hears in (False, True):
            places = [i for i, ask in enumerate(asks) if bool(clips_of(dialogue_of(ask))) == hears]
            if places:
                self._switch(hears)
                found.update(zip(places, answer([asks[i] for i in places]), strict=True))
        return [found[i] for i in range(len(asks))]

    def _switch(self, on: bool) -> None:
        model: Any = self._lm.model
        if model._hf_peft_config_loaded:
            (model.enable_adapters if on else model.disable_adapters)()
