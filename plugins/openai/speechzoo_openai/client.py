"""Requests over HTTP: sent side by side, tried again, and what becomes of those that fail."""

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NoReturn, TypeVar

from openai import (
    APIConnectionError,
    APIResponseValidationError,
    APIStatusError,
    APITimeoutError,
    OpenAI,
)
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from speechzoo import Failure, SetupError
from speechzoo_openai.connection import (
    Connection,
    Given,
    Made,
    ServerError,
    as_they_come,
    side_by_side,
)

JsonObject = dict[str, Any]
Form = TypeVar("Form", bound=BaseModel)

_log = logging.getLogger(__name__)

# Wrong for this request and for every other one: key, rights, or a path or model that is not there.
_HOPELESS = {401, 403, 404}
_BUSY = {408, 409, 429}


class Told(BaseModel):
    """What is read of something a server says; the rest is left aside."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Speech(Told):
    """``data`` is base64."""

    data: str
    transcript: str | None = None


class Said(Told):
    content: str | None = None
    refusal: str | None = None
    audio: Speech | None = None

    @property
    def text(self) -> str | None:
        """What was written, or what was said in words."""
        return self.content if self.content is not None or self.audio is None else self.audio.transcript


class Choice(Told):
    message: Said
    finish_reason: str | None = None

    @property
    def obstacle(self) -> str | None:
        """Why this is not the answer that the model was asked for, if it is not."""
        if self.finish_reason == "content_filter":
            return "content_filter"
        return "refused" if self.message.refusal else None


class InputDetails(Told):
    audio_tokens: int | None = None


class TokenUsage(Told):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: InputDetails | None = None


class ChatCompletion(Told):
    """What a model says to a chat; ``model`` is what the server calls it."""

    choices: list[Choice] = Field(min_length=1)
    usage: TokenUsage | None = None
    model: str | None = None
    system_fingerprint: str | None = None

    @property
    def served(self) -> dict[str, str | int]:
        """As in `speechzoo.asks.ReplyAnswer`: what the server told of it."""
        told = {"model": self.model, "system_fingerprint": self.system_fingerprint}
        tokens = (
            {"input_tokens": self.usage.prompt_tokens, "output_tokens": self.usage.completion_tokens}
            if self.usage
            else {}
        )
        return {name: value for name, value in told.items() if value is not None} | tokens


class ListedModel(Told):
    id: str


class Models(Told):
    """What a server says that it serves."""

    data: list[ListedModel]


class Client:
    """Asks one server; threads may share it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._openai = OpenAI(
            api_key=connection.key or "none",
            base_url=connection.base_url,
            timeout=connection.timeout,
            max_retries=connection.retries,
        )
        if not connection.at_openai:
            # The library has them from the environment, and they are OpenAI's affair.
            self._openai.organization = self._openai.project = None
        self._pool = ThreadPoolExecutor(connection.parallel)
        self._served_by: str | None = None

    def each(
        self, answer: Callable[[Given], Made], asks: Sequence[Given], fault: str = "unreachable"
    ) -> list[Made | Failure]:
        """As `side_by_side`."""
        return side_by_side(self._pool, answer, asks, fault)

    def as_they_come(
        self, answer: Callable[[Given], Made], asks: Sequence[Given], fault: str
    ) -> Iterator[Made | Failure]:
        """As the function of this name."""
        return as_they_come(self._pool, answer, asks, fault)

    def chat(self, messages: Sequence[JsonObject], **settings: Any) -> ChatCompletion:
        """A chat completion; errors as of `post`."""
        body = {"model": self.connection.model, "messages": list(messages), **settings}
        completion = self.read(ChatCompletion, self.post("/chat/completions", body))
        self._notice(completion.model)
        return completion

    def check(self) -> None:
        """Meets what no request would get over, at no cost where the server lists the model.

        Another model may be there all the same: it is asked for one token.

        Raises:
            SetupError: the server cannot be reached, takes no such key, or has no such model or path.
        """
        try:
            if self._lists_the_model():
                return
            self.chat([{"role": "user", "content": "1"}], max_completion_tokens=1)
        except ServerError as error:
            # What else there is to say against so short a question says nothing about others.
            if error.reason in ("unreachable", "timed_out"):
                raise SetupError(str(error)) from None

    def _lists_the_model(self) -> bool:
        try:
            listed = self.read(Models, self._asked(partial(self._openai.get, "/models", cast_to=object)))
        except SetupError:
            return False  # a server need not list its models; a wrong key is met by what is asked next
        return any(own.id == self.connection.model for own in listed.data)

    def post(self, path: str, body: JsonObject) -> JsonObject:
        """The JSON object that the server answers.

        Raises:
            ServerError: this request has no answer.
            SetupError: none will ever have one: wrong key, no such path or model, no money left.
        """
        return self._asked(partial(self._openai.post, path, cast_to=object, body=body))

    def _asked(self, request: Callable[[], object]) -> JsonObject:
        """What the server answers to a request; errors as of `post`."""
        try:
            told = request()
        # Nothing is chained: errors of a server may quote the key.
        except APIStatusError as error:
            self._refused(error)
        except APITimeoutError:
            raise ServerError(
                "timed_out", f"{self.connection.host} was silent for {self.connection.timeout:g} s"
            ) from None
        except APIConnectionError as error:
            cause = self.connection.without_key(str(error.__cause__ or error))
            raise ServerError("unreachable", f"{self.connection.host}: {cause}") from None
        except UnicodeEncodeError as error:
            raise ServerError("not_unicode", f"a text cannot be sent: {error}") from None
        except (json.JSONDecodeError, UnicodeDecodeError, APIResponseValidationError):
            told = None
        if not isinstance(told, dict):
            raise ServerError("bad_response", f"{self.connection.host} answered no JSON object")
        return told

    def read(self, form: type[Form], told: JsonObject) -> Form:
        """An answer as what it should be.

        Raises:
            ServerError: it is something else.
        """
        try:
            return form.model_validate(told)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise ServerError("bad_response", f"{self.connection.host}: {where}: {first['msg']}") from None

    def _refused(self, error: APIStatusError) -> NoReturn:
        connection, status = self.connection, error.status_code
        told = f"{connection.host} answered {connection.without_key(error.message)[:500]}"
        if status in (401, 403):
            raise SetupError(f"{told}\nThe key is read from {connection.key_variable}") from None
        if status in _HOPELESS or error.code == "insufficient_quota":
            raise SetupError(f"{told}\nAsked for the model {connection.model!r}") from None
        reason = "unreachable" if status in _BUSY or status >= 500 else "request_refused"
        raise ServerError(reason, told) from None

    def _notice(self, served_by: str | None) -> None:
        """A name may stand for another model tomorrow; a change while we look must not go unseen."""
        if self._served_by not in (None, served_by):
            _log.warning(
                "%s now answers as %s, before as %s", self.connection.host, served_by, self._served_by
            )
        self._served_by = served_by

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._openai.close()
