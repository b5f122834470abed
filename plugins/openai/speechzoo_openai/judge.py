"""A judge behind chat completions."""

import json
from collections.abc import Iterator, Sequence
from typing import Unpack

from pydantic import BaseModel

from speechzoo import AudioClip, Failure, ItemError, JudgeAsk, Judgement, Setup, SetupError
from speechzoo.judging import RULE_OF_QUOTES, Usage, read_form
from speechzoo_openai.client import ChatCompletion, Choice, Client, JsonObject, TokenUsage
from speechzoo_openai.connection import Connection, Options, ServerError
from speechzoo_openai.content import check_size, content_of

_FORM = "Answer with one JSON object and nothing else. It has to be valid by this JSON Schema:\n{schema}"
_CUT = "cut at max_tokens"


class OpenAIJudge:
    """Puts an ask into one user message: instruction, the rule of quotes, then the material in its order.

    Protocol of MTalk-Bench's judges: one user message, temperature 0.1, three tries. What a judge said
    instead of a form begins with ``[refused]``, ``[content_filter]`` or ``[cut at max_tokens]`` where that is
    why, and with the fault where a later try met one.

    Args:
        setup: its name.
        sends: ``wav`` or ``flac``.
        max_megabytes: of all clips of one ask, in base64.
        hears: it may be given clips.
        longest_seconds: of all clips of one ask; 0 for no limit.
        temperature: below 0 the server's own.
        max_tokens: of one answer.
        tries: until an answer is a valid form.
        structured: the server is given the form's JSON Schema as ``response_format``, and not as words.
        price_in: US dollars a million tokens; below 0 unknown, and so are costs.
        price_audio_in: of those heard; below 0 as those read.
        price_out: of those answered.

    Raises:
        SetupError: no key, no model's name, or parameters that make no sense.
    """

    def __init__(
        self,
        setup: Setup,
        sends: str = "wav",
        max_megabytes: float = 20.0,
        hears: bool = True,
        longest_seconds: float = 300.0,
        temperature: float = 0.1,
        max_tokens: int = 4096,
        tries: int = 3,
        structured: bool = False,
        price_in: float = -1.0,
        price_audio_in: float = -1.0,
        price_out: float = -1.0,
        **options: Unpack[Options],
    ) -> None:
        if tries < 1 or max_tokens < 1:
            raise SetupError(f"{setup.name}: tries and max_tokens are at least 1")
        self.hears = hears
        self.longest_seconds = longest_seconds if longest_seconds > 0 else None
        self._client = Client(Connection.open(setup, **options))
        self._sends = sends
        self._max_megabytes = max_megabytes
        self._tries = tries
        self._structured = structured
        self._prices = (price_in, price_audio_in, price_out)
        self._settings: JsonObject = {"max_completion_tokens": max_tokens}
        if temperature >= 0:
            self._settings["temperature"] = temperature

    def judge(self, asks: Sequence[JudgeAsk]) -> Iterator[Judgement | Failure]:
        return self._client.as_they_come(self._judge, asks, fault="judge_unreachable")

    def check(self) -> None:
        self._client.check()

    def close(self) -> None:
        self._client.close()

    def _judge(self, ask: JudgeAsk) -> Judgement:
        message = self._message(ask)
        settings = dict(self._settings)
        if self._structured:
            settings["response_format"] = _response_format(ask.form)
        usages: list[TokenUsage | None] = []
        raw = ""
        for _ in range(self._tries):
            try:
                completion = self._completion(message, settings)
            except (ItemError, SetupError) as error:
                if not usages:
                    raise
                # What the tries before took is paid for, and must be told.
                return Judgement(None, f"[{error}] {raw}", self._usage(usages))
            usages.append(completion.usage)
            raw, answer = _read(completion.choices[0], ask.form)
            if answer is not None:
                return Judgement(answer, raw, self._usage(usages))
        return Judgement(None, raw, self._usage(usages))

    def _message(self, ask: JudgeAsk) -> JsonObject:
        clips = [part for part in ask.material if isinstance(part, AudioClip)]
        if clips and not self.hears:
            raise ItemError("cannot_hear", "this judge only reads, and the material has clips")
        seconds = sum(clip.seconds for clip in clips)
        if self.longest_seconds is not None and seconds > self.longest_seconds:
            raise ItemError(
                "too_long", f"its clips last {seconds:.0f} s, this judge hears {self.longest_seconds:.0f} s"
            )
        told = [ask.instruction, RULE_OF_QUOTES]
        if not self._structured:
            told.append(_FORM.format(schema=json.dumps(ask.form.model_json_schema(), ensure_ascii=False)))
        message = {"role": "user", "content": content_of(("\n\n".join(told), *ask.material), self._sends)}
        check_size([message], self._max_megabytes)
        return message

    def _completion(self, message: JsonObject, settings: JsonObject) -> ChatCompletion:
        try:
            return self._client.chat([message], **settings)
        except ServerError as error:
            if self._structured and "response_format" in error.detail:
                raise SetupError(
                    f"{error.detail}\nIt takes no json_schema: set the judge's structured=false"
                ) from None
            raise ItemError(f"judge_{error.reason}", error.detail) from None

    def _usage(self, usages: Sequence[TokenUsage | None]) -> Usage:
        told = [usage for usage in usages if usage is not None]
        return Usage(
            input_tokens=sum(usage.prompt_tokens for usage in told),
            output_tokens=sum(usage.completion_tokens for usage in told),
            # A sum that leaves a try out would let a ceiling be passed unseen.
            cost=sum(map(self._cost, told)) if len(told) == len(usages) and self._has_prices() else None,
        )

    def _has_prices(self) -> bool:
        price_in, _, price_out = self._prices
        return price_in >= 0 and price_out >= 0

    def _cost(self, usage: TokenUsage) -> float:
        """In US dollars; tokens that may have been heard, for all the server says, cost the dearer price."""
        price_in, price_audio_in, price_out = self._prices
        price_audio_in = price_in if price_audio_in < 0 else price_audio_in
        heard = usage.prompt_tokens_details.audio_tokens if usage.prompt_tokens_details else None
        if heard is None:
            heard = usage.prompt_tokens if price_audio_in > price_in else 0
        read = usage.prompt_tokens - heard
        return (read * price_in + heard * price_audio_in + usage.completion_tokens * price_out) / 1e6


def _response_format(form: type[BaseModel]) -> JsonObject:
    schema = {"name": form.__name__, "schema": form.model_json_schema()}
    return {"type": "json_schema", "json_schema": schema}


def _read(choice: Choice, form: type[BaseModel]) -> tuple[str, JsonObject | None]:
    """What it said, and the form if it is one."""
    text = choice.message.text or ""
    if obstacle := choice.obstacle:
        return f"[{obstacle}] {choice.message.refusal or text}", None
    try:
        return text, read_form(text, form)
    except ValueError:
        return (f"[{_CUT}] {text}" if choice.finish_reason == "length" else text), None
