"""Choices told from replies, for models that cannot score: the options are named and a reply is read."""

from collections.abc import Sequence
from dataclasses import replace
from string import ascii_uppercase
from textwrap import shorten

from speechzoo import Failure
from speechzoo_spoken_qa.golds import read_options
from speechzoo_spoken_qa.options import MOST_OPTIONS, named_options
from speechzoo_synth.items import TextItem

from speechzoo_lm_eval.context import Aloud, Context
from speechzoo_lm_eval.settings import FIELD

CHOSEN, NOT_CHOSEN = 0.0, float("-inf")
"""Log-likelihoods of a reply that is certain of its choice, in nats."""
_SHOWN = 120


def naming(context: Context, options: Sequence[str], spoken: str) -> Context:
    """The prompt with its lettered options, as text or to be spoken like what they stand after.

    Prompts whose continuations are the letters themselves name their options already.

    Args:
        context: with what is spoken marked.
        options: what lm-eval would have scored.
        spoken: the policy; with ``field:NAME`` options stay text.
    """
    last = context.turns[-1]
    *before, end = last.parts
    if isinstance(end, Aloud) and not spoken.startswith(FIELD):
        parts = [*before, Aloud(_listed(end.text, options))]
    elif isinstance(end, str):
        parts = [*before, _listed(end, options)]
    else:
        parts = [*last.parts, *filter(None, [_listed("", options)])]
    return replace(context, turns=(*context.turns[:-1], replace(last, parts=tuple(parts))))


def chosen(reply: str, context: Context, options: Sequence[str]) -> list[float] | Failure:
    """Log-likelihoods of the options, by what a reply names; ``unparsed`` where that is not one of them.

    Args:
        reply: as text, or as it was heard.
        context: with the options named.
        options: what lm-eval would have scored.
    """
    if not reply.strip():
        return Failure("empty_reply", "there is no word in the reply")
    names = named_options(reply, _texts(context, options))
    if len(names) != 1:
        letters = " and ".join(ascii_uppercase[place] for place in sorted(names)) or "no option"
        return Failure("unparsed", f"the reply names {letters}: {shorten(reply, _SHOWN)!r}")
    return [CHOSEN if place in names else NOT_CHOSEN for place in range(len(options))]


def refusal(context: Context, options: Sequence[str]) -> str | None:
    """Why a reply cannot tell what lm-eval wants to know; None if it can."""
    if not context.turns:
        return "scores options without their prompt"
    if len(options) < 2:
        return "scores a single continuation, which is no choice"
    if len(options) > MOST_OPTIONS:
        return f"has {len(options)} options, more than there are letters"
    return None


def _listed(prompt: str, options: Sequence[str]) -> str:
    return TextItem("", prompt, options=_bare(options)).with_options()


def _texts(context: Context, options: Sequence[str]) -> Sequence[str]:
    """What the letters stand for; "" where the prompt does not tell."""
    bare = _bare(options)
    if bare != tuple(ascii_uppercase[: len(bare)]):
        return bare
    parts = context.turns[-1].parts
    told = read_options("".join(p.text if isinstance(p, Aloud) else p for p in parts if not _is_clip(p)))
    return told if len(told) == len(bare) else ("",) * len(bare)


def _bare(options: Sequence[str]) -> tuple[str, ...]:
    return tuple(option.strip() for option in options)


def _is_clip(part: object) -> bool:
    return not isinstance(part, str | Aloud)
