"""Where lm-eval wants a reply to end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from speechzoo import SpeechzooError

LENGTHS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
DEFAULT_LENGTH = 256


@dataclass(frozen=True)
class Limits:
    """Most tokens of a reply, and the strings that end it."""

    max_tokens: int
    stops: tuple[str, ...]

    @classmethod
    def read(cls, arguments: Mapping[str, Any], task: str) -> Self:
        """From a request's ``gen_kwargs``.

        Raises:
            SpeechzooError: replies are to be drawn at random, which is the model's own matter.
        """
        if arguments.get("do_sample") and float(arguments.get("temperature") or 1) > 0:
            raise SpeechzooError(
                f"{task} wants replies drawn at random (do_sample). How a speechzoo model draws is a "
                "parameter of its own, where it has one (--set temperature=...): --gen_kwargs do_sample=false"
            )
        until = arguments.get("until") or ()
        stops = (until,) if isinstance(until, str) else tuple(until)
        length = next((arguments[name] for name in LENGTHS if arguments.get(name)), DEFAULT_LENGTH)
        return cls(int(length), tuple(stop for stop in stops if stop))


def cut(text: str, stops: Sequence[str]) -> tuple[str, bool]:
    """The text up to the first of the stops, and whether there was one."""
    ends = [end for stop in stops if (end := text.find(stop)) >= 0]
    return (text[: min(ends)], True) if ends else (text, False)
