"""What a prompt of lm-eval holds: its turns, and which of their texts are to be spoken."""

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import soundfile
from speechzoo import AudioClip, Dialogue, Failure, ItemError, Message, SpeechzooError
from speechzoo.dialogue import Role

from speechzoo_lm_eval.settings import EVERYTHING, FIELD

ENVELOPE = "speechzoo lm-eval"
MARKER = "<audio>"


@dataclass(frozen=True)
class Aloud:
    """A text that is to be spoken."""

    text: str


@dataclass(frozen=True)
class Turn:
    """A message whose texts may still have to be spoken."""

    role: Role
    parts: tuple[str | AudioClip | Aloud, ...]


@dataclass(frozen=True)
class Context:
    """A prompt.

    Attributes:
        turns: of the chat; one of the user without a chat template, none for an empty prompt.
        chat: the model's chat template goes around them.
        prefix: what the model's answer already begins with.
        space: what every continuation begins with: by lm-eval's rule, white space at the end of a prompt, or
            of a prefix, belongs to what is scored after it.
    """

    turns: tuple[Turn, ...]
    chat: bool
    prefix: str = ""
    space: str = ""


def seal(identity: str, messages: Sequence[Mapping[str, str]], add_generation_prompt: bool) -> str:
    """A chat as the text that lm-eval takes for a prompt: `unseal` gives the exact turns back.

    The identity of the model, and of how it is asked, is in it, as lm-eval's caches know prompts alone.
    """
    turns = [[message["role"], message["content"]] for message in messages]
    return json.dumps({ENVELOPE: identity, "turns": turns, "open": add_generation_prompt}, ensure_ascii=False)


def unseal(prompt: str, identity: str, scored: bool) -> Context:
    """The prompt's turns; one that was made without a chat template is one turn of the user.

    Args:
        prompt: of lm-eval.
        identity: that it has to be made for.
        scored: continuations follow it, not a reply.

    Raises:
        SpeechzooError: the prompt was made for another model or mode.
    """
    if not prompt.startswith(f'{{"{ENVELOPE}": '):
        text, space = _apart(prompt) if scored else (prompt, "")
        return Context((Turn("user", (text,)),) if text else (), chat=False, space=space)
    told = json.loads(prompt)
    if told[ENVELOPE] != identity:
        raise SpeechzooError(
            "lm-eval's cache of requests gave prompts of another model, mode or voice: "
            "--cache_requests refresh"
        )
    turns = tuple(Turn(cast(Role, role), (text,) if text else ()) for role, text in told["turns"])
    if told["open"]:
        return Context(turns, chat=True)
    prefix, space = _apart(told["turns"][-1][1])
    return Context(turns[:-1], chat=True, prefix=prefix, space=space)


def _apart(text: str) -> tuple[str, str]:
    """The text, and the white space at its end."""
    kept = text.rstrip()
    return kept, text[len(kept) :]


def mark(context: Context, spoken: str, document: Mapping[str, Any]) -> Context:
    """The context with the texts that the policy names `Aloud`.

    Raises:
        ItemError: the text of ``field:NAME`` does not stand in the last user turn.
        SpeechzooError: documents have no such field, or the policy needs the turns of a chat.
    """
    if spoken == EVERYTHING or not context.turns:
        return _aloud(context, range(len(context.turns)))
    if not context.chat:
        raise SpeechzooError(
            f"spoken={spoken} has to know the turns of a prompt: run lm-eval with --apply_chat_template, "
            f"or say spoken={EVERYTHING}"
        )
    of_user = [place for place, turn in enumerate(context.turns) if turn.role == "user"]
    if spoken == "all_user":
        return _aloud(context, of_user)
    if spoken == "last_user":
        return _aloud(context, of_user[-1:])
    return _field_aloud(context, of_user[-1], spoken.removeprefix(FIELD), document)


def _aloud(context: Context, places: Iterable[int]) -> Context:
    turns = list(context.turns)
    for place in places:
        parts = tuple(Aloud(part) if isinstance(part, str) else part for part in turns[place].parts)
        turns[place] = replace(turns[place], parts=parts)
    return replace(context, turns=tuple(turns))


def _field_aloud(context: Context, place: int, name: str, document: Mapping[str, Any]) -> Context:
    if name not in document:
        raise SpeechzooError(f"documents have no field {name!r}; they have: {', '.join(map(str, document))}")
    wanted = str(document[name]).strip()
    text = "".join(map(str, context.turns[place].parts))
    before, found, after = text.partition(wanted)
    if not wanted or not found:
        raise ItemError("field_not_found", f"{name}={wanted!r} does not stand in the prompt as it is")
    parts = tuple(part for part in (before, Aloud(wanted), after) if part)
    turns = list(context.turns)
    turns[place] = replace(turns[place], parts=parts)
    return replace(context, turns=tuple(turns))


def with_audio(context: Context, clips: Sequence[AudioClip]) -> Context:
    """The clips of an audio task at the markers of its prompt; without a marker, before the last user turn.

    Raises:
        ItemError: there are other than as many markers as clips.
    """
    place = max(i for i, turn in enumerate(context.turns) if turn.role == "user")
    pieces = "".join(map(str, context.turns[place].parts)).split(MARKER)
    if len(pieces) == 1:
        pieces = [*[""] * len(clips), pieces[0]]
    if len(pieces) != len(clips) + 1:
        raise ItemError("audio_markers", f"{len(pieces) - 1} {MARKER} in the prompt for {len(clips)} clips")
    parts: list[str | AudioClip] = [pieces[0]]
    for clip, piece in zip(clips, pieces[1:], strict=True):
        parts += [clip, piece]
    turns = list(context.turns)
    turns[place] = replace(turns[place], parts=tuple(part for part in parts if part != ""))
    return replace(context, turns=tuple(turns))


def clip_of(value: object) -> AudioClip:
    """A clip of what ``doc_to_audio`` gave.

    Args:
        value: a path, encoded bytes, or a dictionary with ``path``, ``bytes``, or ``array`` (floats, [n] or
            [n, channels]) and ``sampling_rate`` in Hz.

    Raises:
        ItemError: it is none of these.
    """
    if isinstance(value, str | Path):
        return AudioClip.from_file(value)
    if isinstance(value, bytes):
        return AudioClip.from_bytes(value)
    if isinstance(value, Mapping) and value.get("array") is not None:
        samples = np.asarray(value["array"], dtype=np.float32)
        buffer = io.BytesIO()
        soundfile.write(buffer, samples, int(value["sampling_rate"]), format="WAV", subtype="FLOAT")
        return AudioClip.from_bytes(buffer.getvalue())
    if isinstance(value, Mapping) and value.get("bytes") is not None:
        return AudioClip.from_bytes(value["bytes"])
    if isinstance(value, Mapping) and value.get("path") is not None:
        return AudioClip.from_file(value["path"])
    raise ItemError("not_audio", f"doc_to_audio gave {type(value).__name__}: no path, bytes or array")


def texts_aloud(contexts: Iterable[Context]) -> list[str]:
    """All that has to be spoken."""
    return [p.text for one in contexts for turn in one.turns for p in turn.parts if isinstance(p, Aloud)]


def dialogue(context: Context, spoken: Mapping[str, AudioClip | Failure]) -> Dialogue:
    """The turns as messages, with clips for what is spoken.

    Raises:
        ItemError: a text cannot be spoken.
    """
    return tuple(Message(turn.role, tuple(_part(p, spoken) for p in turn.parts)) for turn in context.turns)


def _part(part: str | AudioClip | Aloud, spoken: Mapping[str, AudioClip | Failure]) -> str | AudioClip:
    if not isinstance(part, Aloud):
        return part
    found = spoken[part.text]
    if isinstance(found, Failure):
        raise ItemError(found.reason, found.detail)
    return found
