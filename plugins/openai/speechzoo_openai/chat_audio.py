"""Speech in and out by chat completions."""

from collections.abc import Sequence
from time import perf_counter
from typing import Unpack

from speechzoo import Failure, ItemError, ReplyAnswer, ReplyAsk, Setup
from speechzoo_openai.client import Client, JsonObject
from speechzoo_openai.connection import Connection, Options
from speechzoo_openai.content import check_size, clip_of, messages_of


class ChatAudio:
    """A model that hears ``input_audio`` and speaks by the modality ``audio``.

    Its own earlier replies stand in the history as text: the protocol takes them as audio only by the id
    of a reply that the server still keeps, and no state may pass from one call to the next.

    Timings: seconds of ``request``, retries included.

    Args:
        setup: its name and seed; the seed is sent where the temperature is above 0.
        sends: ``wav`` or ``flac``.
        max_megabytes: of all clips of one request, in base64.
        voice: of spoken replies.
        speech_format: ``wav``, or ``pcm16`` at 24 kHz.
        speech_tokens: servers count audio tokens too, so a spoken reply may have so many for each text token.
        temperature: below 0 the server's own.

    Raises:
        SetupError: no key, no model's name, or parameters that make no sense.
    """

    def __init__(
        self,
        setup: Setup,
        sends: str = "wav",
        max_megabytes: float = 20.0,
        voice: str = "alloy",
        speech_format: str = "wav",
        speech_tokens: int = 8,
        temperature: float = 0.0,
        **options: Unpack[Options],
    ) -> None:
        self._client = Client(Connection.open(setup, **options))
        self._sends = sends
        self._max_megabytes = max_megabytes
        self._speech = {"modalities": ["text", "audio"], "audio": {"voice": voice, "format": speech_format}}
        self._speech_tokens = speech_tokens
        self._settings: JsonObject = {"temperature": temperature} if temperature >= 0 else {}
        if temperature > 0:
            self._settings["seed"] = setup.seed

    def reply(self, asks: Sequence[ReplyAsk]) -> list[ReplyAnswer | Failure]:
        return self._client.each(self._reply, asks)

    def close(self) -> None:
        self._client.close()

    def _reply(self, ask: ReplyAsk) -> ReplyAnswer:
        messages = messages_of(ask.dialogue, self._sends)
        check_size(messages, self._max_megabytes)
        settings = {**self._settings, **(self._speech if ask.speech else {})}
        settings["max_completion_tokens"] = ask.max_tokens * (1 + self._speech_tokens * ask.speech)
        start = perf_counter()
        completion = self._client.chat(messages, **settings)
        seconds = perf_counter() - start
        choices = completion.choices
        choice = choices[0]
        said = choice.message
        if choice.obstacle:
            raise ItemError(choice.obstacle, said.refusal or said.text or "it gave no reason")
        # One choice was asked for; vLLM-Omni answers words and speech as two.
        spoken = (one.message.audio for one in choices if one.message.audio)
        speech = next(spoken, None) if ask.speech else None
        return ReplyAnswer(
            text=said.text,
            clip=clip_of(speech.data, said.text) if speech else None,
            truncated=choice.finish_reason == "length",
            timings={"request": seconds},
            served=completion.served,
        )
