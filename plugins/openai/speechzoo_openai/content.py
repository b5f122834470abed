"""Messages and clips as the protocol has them, and its speech as clips."""

import base64
import binascii
import io
import struct
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import soundfile

from speechzoo import AudioClip, Dialogue, ItemError, Message, Part
from speechzoo.audio import Samples

SPEECH_RATE = 24_000
"""Of pcm16 in either direction, in Hz."""

JsonObject = dict[str, Any]

# What stands for a length that was not known when the header was written.
_OPEN_LENGTH = 0x7FFF_0000


def messages_of(dialogue: Dialogue, form: str = "wav") -> list[JsonObject]:
    """The dialogue for chat completions.

    The protocol lets nobody but the user send audio: what the model itself has said goes as text.

    Raises:
        ItemError: a clip cannot be read, or cannot be sent where it stands.
    """
    return [{"role": message.role, "content": _content(message, form)} for message in dialogue]


def _content(message: Message, form: str) -> list[JsonObject] | str:
    heard = message.role == "user" and message.clips
    return content_of(message.parts, form) if heard else words_of(message)


def content_of(parts: Sequence[Part], form: str) -> list[JsonObject]:
    """Texts and clips in their order; empty texts, which servers refuse, are left out."""
    return [
        {"type": "text", "text": part}
        if isinstance(part, str)
        else {"type": "input_audio", "input_audio": {"data": encoded(part, form), "format": form}}
        for part in parts
        if part != ""
    ]


def words_of(message: Message) -> str:
    """A message that can only be text: clips by their transcripts.

    Raises:
        ItemError: a clip has no transcript.
    """
    words = [part if isinstance(part, str) else part.transcript for part in message.parts]
    known = [text for text in words if text is not None]
    if len(known) < len(words):
        raise ItemError("no_transcript", f"speech of the {message.role} goes as text, and a clip has none")
    return "".join(known)


def encoded(clip: AudioClip, form: str) -> str:
    """The clip at its own rate, 16 bit, as ``wav`` or ``flac`` in base64.

    Raises:
        ItemError: it cannot be read.
    """
    buffer = io.BytesIO()
    soundfile.write(buffer, pcm16(clip.samples()), clip.header.rate, format=form.upper(), subtype="PCM_16")
    return base64.b64encode(buffer.getvalue()).decode()


def pcm16(samples: Samples) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    """Samples in [-1, 1], shape [n], as 16-bit integers: what was 16 bit before becomes the same again."""
    return np.clip(np.rint(samples * 32_768), -32_768, 32_767).astype("<i2")


def check_size(messages: Iterable[JsonObject], max_megabytes: float) -> None:
    """Raises `ItemError` if the clips of these messages are too large together."""
    parts = [
        part for message in messages if isinstance(message["content"], list) for part in message["content"]
    ]
    size = sum(len(part["input_audio"]["data"]) for part in parts if "input_audio" in part)
    if size > max_megabytes * 1e6:
        raise ItemError(
            "too_large",
            f"its clips take {size / 1e6:.1f} MB as they are sent, allowed are {max_megabytes:g} MB",
        )


def clip_of(data: str, transcript: str | None) -> AudioClip:
    """Speech in base64 as a clip: a WAV file, or else pcm16 at `SPEECH_RATE`.

    Raises:
        ItemError: it is neither, or no length for a clip.
    """
    try:
        speech = base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise ItemError("bad_response", f"the speech is no base64: {error}") from error
    if speech[:4] != b"RIFF":
        return clip_of_pcm16(speech, transcript)
    clip = AudioClip.from_bytes(_with_length(speech))
    # Read at once: what cannot be heard is no reply.
    return AudioClip.from_samples(clip.samples(), clip.header.rate, transcript)


def clip_of_pcm16(speech: bytes, transcript: str | None = None) -> AudioClip:
    """Little-endian 16-bit samples at `SPEECH_RATE` as a clip.

    Raises:
        ItemError: half a sample, or no length for a clip.
    """
    if len(speech) % 2:
        raise ItemError("bad_response", f"{len(speech)} bytes of pcm16 end in half a sample")
    samples = np.frombuffer(speech, "<i2").astype(np.float32) / np.float32(32_768)
    clip = AudioClip.from_samples(samples, SPEECH_RATE, transcript)
    _ = clip.header
    return clip


def _with_length(wav: bytes) -> bytes:
    """The file with the length of its samples, where the header leaves it open.

    Servers write the header before they speak. That all of it came is known: it was one string of JSON.
    """
    position = 12
    while position + 8 <= len(wav):
        name, length = (
            wav[position : position + 4],
            int.from_bytes(wav[position + 4 : position + 8], "little"),
        )
        if name == b"data":
            if length < _OPEN_LENGTH:
                return wav
            there = len(wav) - position - 8
            return (
                wav[:4]
                + struct.pack("<I", len(wav) - 8)
                + wav[8 : position + 4]
                + struct.pack("<I", there)
                + wav[position + 8 :]
            )
        position += 8 + length + length % 2
    return wav
