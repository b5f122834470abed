"""Messages made of text and clips: what a model is given to read and hear."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from speechzoo.audio import AudioClip

Part = str | AudioClip
Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn: who speaks, and its texts and clips in order."""

    role: Role
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """The text parts joined; clips are left out."""
        return "".join(part for part in self.parts if isinstance(part, str))

    @property
    def clips(self) -> tuple[AudioClip, ...]:
        return tuple(part for part in self.parts if isinstance(part, AudioClip))


Dialogue = tuple[Message, ...]


def system(*parts: Part) -> Message:
    return Message("system", parts)


def user(*parts: Part) -> Message:
    return Message("user", parts)


def assistant(*parts: Part) -> Message:
    return Message("assistant", parts)


def raw(*parts: Part) -> Dialogue:
    """A context for base-LM scoring: the parts as they are, no roles and no chat template.

    Empty texts are dropped: they carry no tokens.
    """
    return (Message("user", tuple(part for part in parts if part != "")),)


def parts_of(dialogue: Sequence[Message]) -> Iterator[Part]:
    for message in dialogue:
        yield from message.parts


def clips_of(dialogue: Sequence[Message]) -> tuple[AudioClip, ...]:
    return tuple(clip for message in dialogue for clip in message.clips)


def clips_of_others(dialogue: Sequence[Message]) -> tuple[AudioClip, ...]:
    """Those that the model is to understand: its own speech in the history is no test of its hearing."""
    return clips_of([message for message in dialogue if message.role != "assistant"])


def part_key(part: Part) -> list[str]:
    """What of a text or clip can change an answer to it.

    Raises:
        ItemError: a clip's file cannot be read.
    """
    if isinstance(part, str):
        return ["text", part]
    # A recogniser that is told the language hears something else.
    return ["clip", part.digest, *([part.language] if part.language else [])]
