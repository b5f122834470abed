"""Speech in and out over a WebSocket, by OpenAI's realtime protocol as of 2025 (general availability)."""

import base64
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from time import perf_counter
from typing import Any, TypeVar, Unpack

from speechzoo import (
    AudioClip,
    Dialogue,
    Failure,
    ItemError,
    Message,
    ReplyAnswer,
    ReplyAsk,
    Setup,
)
from speechzoo.audio import MIN_SECONDS
from speechzoo_openai.connection import Connection, Options, ServerError, side_by_side
from speechzoo_openai.content import SPEECH_RATE, clip_of_pcm16, pcm16, words_of
from speechzoo_openai.session import Delta, LostError, Sessions

JsonObject = dict[str, Any]
Made = TypeVar("Made")

_FIRST_WAIT, _LONGEST_WAIT, _LONGEST_RETRY_AFTER = 0.5, 8.0, 120.0
# The protocol's own limit of ``max_output_tokens``.
_MOST_TOKENS = 4096
# So long that a chunk is a clip, and a rest as long can always be kept back for the last one.
_CHUNK = 2 * round(MIN_SECONDS * SPEECH_RATE) * 2


class Realtime:
    """A session of its own for each ask, so that nothing passes from one to the next.

    Turn detection is off: a turn ends where its clip ends. Clips go whole and not in real time. System
    messages become the session's instructions, which replace the server's own. The protocol does not take
    audio of the assistant: its earlier replies stand in the history as text.

    Timings: seconds of ``request``, retries included.

    Args:
        setup: its name.
        max_megabytes: of one message's clips, in base64.
        voice: of spoken replies.
        speech_tokens: audio tokens count too, so a spoken reply may have so many for each text token; the
            protocol allows 4096 together.

    Raises:
        SetupError: no key, no model's name, or parameters that make no sense.
    """

    def __init__(
        self,
        setup: Setup,
        max_megabytes: float = 15.0,
        voice: str = "marin",
        speech_tokens: int = 8,
        **options: Unpack[Options],
    ) -> None:
        self._connection = Connection.open(setup, **options)
        self._sessions = Sessions(self._connection)
        self._pool = ThreadPoolExecutor(self._connection.parallel)
        self._max_megabytes = max_megabytes
        self._voice = voice
        self._speech_tokens = speech_tokens

    def reply(self, asks: Sequence[ReplyAsk]) -> list[ReplyAnswer | Failure]:
        return side_by_side(self._pool, self._reply, asks)

    def stream(self, ask: ReplyAsk) -> Iterator[ReplyAnswer]:
        """Pieces of words and speech as they come; what breaks off after the first is not tried again.

        Raises:
            ItemError: the reply cannot be had, or not to its end.
        """
        events = self._events(ask)
        websocket = self._again(self._sessions.open)
        # Closed at once also where the listener goes before the end.
        with closing(self._sessions.deltas(websocket, events)) as deltas:
            try:
                yield from _chunks(deltas)
            except LostError as lost:
                raise ServerError("unreachable", f"{self._connection.host}: {lost}") from None

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _reply(self, ask: ReplyAsk) -> ReplyAnswer:
        events = self._events(ask)
        start = perf_counter()
        deltas = self._again(lambda: list(self._sessions.deltas(self._sessions.open(), events)))
        seconds = perf_counter() - start
        text = "".join(delta.text for delta in deltas)
        speech = b"".join(delta.speech for delta in deltas)
        return ReplyAnswer(
            text=text,
            clip=clip_of_pcm16(speech, text) if speech else None,
            truncated=any(delta.truncated for delta in deltas),
            timings={"request": seconds},
        )

    def _again(self, attempt: Callable[[], Made]) -> Made:
        """What the attempt makes, tried again where the server could not serve."""
        for retry in range(self._connection.retries + 1):
            try:
                return attempt()
            except LostError as lost:
                failure = lost
                if (lost.wait or 0) > _LONGEST_RETRY_AFTER:
                    break
                if retry < self._connection.retries:
                    usual = min(_FIRST_WAIT * 2**retry, _LONGEST_WAIT) * random.uniform(0.75, 1)
                    time.sleep(usual if lost.wait is None else lost.wait)
        raise ServerError("unreachable", f"{self._connection.host}: {failure}")

    def _events(self, ask: ReplyAsk) -> list[JsonObject]:
        """What the client says in this session."""
        tokens = ask.max_tokens * (1 + self._speech_tokens * ask.speech)
        speech = {"type": "audio/pcm", "rate": SPEECH_RATE}
        session = {
            "type": "realtime",
            "output_modalities": ["audio" if ask.speech else "text"],
            "instructions": "\n".join(words_of(one) for one in ask.dialogue if one.role == "system"),
            "max_output_tokens": min(tokens, _MOST_TOKENS),
            "audio": {
                "input": {"format": speech, "turn_detection": None},
                "output": {"format": speech, "voice": self._voice},
            },
        }
        items = [{"type": "conversation.item.create", "item": item} for item in self._items(ask.dialogue)]
        return [{"type": "session.update", "session": session}, *items, {"type": "response.create"}]

    def _items(self, dialogue: Dialogue) -> Iterator[JsonObject]:
        for message in dialogue:
            if message.role == "user":
                yield {"type": "message", "role": "user", "content": self._content(message)}
            elif message.role == "assistant" and (text := words_of(message)):
                content = [{"type": "output_text", "text": text}]
                yield {"type": "message", "role": "assistant", "content": content}

    def _content(self, message: Message) -> list[JsonObject]:
        content = [
            {"type": "input_audio", "audio": _encoded(part)}
            if isinstance(part, AudioClip)
            else {"type": "input_text", "text": part}
            for part in message.parts
            if part != ""
        ]
        size = sum(len(part.get("audio", "")) for part in content)
        if size > self._max_megabytes * 1e6:
            raise ItemError(
                "too_large", f"its clips take {size / 1e6:.1f} MB, allowed are {self._max_megabytes:g} MB"
            )
        return content or [{"type": "input_text", "text": ""}]


def _encoded(clip: AudioClip) -> str:
    return base64.b64encode(pcm16(clip.samples(SPEECH_RATE)).tobytes()).decode()


def _chunks(deltas: Iterable[Delta]) -> Iterator[ReplyAnswer]:
    """Words at once, speech in pieces that are long enough for a clip."""
    waiting = b""
    for delta in deltas:
        waiting += delta.speech
        if delta.text or delta.truncated:
            yield ReplyAnswer(delta.text or None, truncated=delta.truncated)
        if len(waiting) >= _CHUNK:
            ready = len(waiting) - _CHUNK // 2
            ready -= ready % 2
            yield ReplyAnswer(None, clip_of_pcm16(waiting[:ready]))
            waiting = waiting[ready:]
    if waiting:
        yield ReplyAnswer(None, clip_of_pcm16(waiting))
