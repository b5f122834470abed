"""What is scored, as tokens: texts by the tokenizer, clips by the model's own audio tokens."""

from collections.abc import Callable, Iterable
from functools import cache

from speechzoo.audio import AudioClip
from speechzoo.dialogue import Part
from speechzoo.lm.causal import CausalLM, understood
from speechzoo.lm.hearing import spoken_ids

Ids = tuple[int, ...]


def tokenizer_of(lm: CausalLM, continuations: Iterable[Part]) -> Callable[[Part], Ids]:
    """Gives the ids of each continuation by itself; equal ones are tokenized once.

    What it returns raises `ItemError` for a clip that has no ids.
    """
    spoken = spoken_ids(lm, (part for part in continuations if isinstance(part, AudioClip)))

    @cache
    def of_text(text: str) -> Ids:
        return tuple(lm.ids(text))

    def ids(part: Part) -> Ids:
        return of_text(part) if isinstance(part, str) else tuple(understood(spoken[part.digest]))

    return ids
