"""Dialogues as the authors' package is given them: a list of texts and files."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import soundfile

from speechzoo import AudioClip, ItemError
from speechzoo.dialogue import Dialogue, Part

RATE = 16_000
# Of its tokens, those that begin and end messages and clips.
_TAGS = ("<|im_", "[BOS]", "[EOS]", "[EOT]")

Message = dict[str, str]


@contextmanager
def messages(dialogue: Dialogue) -> Iterator[list[Message]]:
    """One for every text and clip; clips are WAV files at 16 kHz, which are gone afterwards.

    There is no system role: its texts stand in front, as a user's, like instructions in the authors' demo.

    Raises:
        ItemError: a clip cannot be read, or a text holds a special token.
    """
    with TemporaryDirectory() as folder:
        made = [
            {"role": "assistant" if message.role == "assistant" else "user", **_content(part, Path(folder))}
            for message in dialogue
            for part in message.parts
        ]
        yield made


def plain(text: str) -> str:
    """The text.

    Raises:
        ItemError: it holds a special token.
    """
    if tag := next((one for one in _TAGS if one in text), None):
        raise ItemError("tag_in_text", f"{text[:60]!r} holds {tag}, which the model would not read as text")
    return text


def _content(part: Part, folder: Path) -> Message:
    if isinstance(part, str):
        return {"message_type": "text", "content": plain(part)}
    return {"message_type": "audio", "content": str(_written(part, folder))}


def _written(clip: AudioClip, folder: Path) -> Path:
    path = folder / f"{clip.digest}.wav"
    soundfile.write(path, clip.samples(RATE), RATE, subtype="FLOAT")
    return path
