"""Sessions with a server of OpenAI's realtime protocol: what is said over one WebSocket."""

import base64
import json
import logging
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from speechzoo import ItemError, SetupError
from speechzoo_openai.connection import Connection, ServerError

JsonObject = dict[str, Any]

# At the level of debugging, websockets writes down every header, and one of them is the key.
_log = logging.getLogger(__name__)
_log.setLevel(logging.INFO)

# What is still on its way when a listener leaves is not waited for.
_SECONDS_TO_CLOSE = 1.0
_HOPELESS = {"invalid_api_key", "model_not_found", "insufficient_quota"}
# Servers older than general availability leave "output_" out.
_TEXT = {"response.output_text.delta", "response.text.delta"}
_TRANSCRIPT = {"response.output_audio_transcript.delta", "response.audio_transcript.delta"}
_SPEECH = {"response.output_audio.delta", "response.audio.delta"}


@dataclass(frozen=True)
class Delta:
    """A piece of a reply: words, or pcm16 at `SPEECH_RATE`."""

    text: str = ""
    speech: bytes = b""
    truncated: bool = False


class LostError(Exception):
    """The server could not serve now; ``wait`` are the seconds it asks for."""

    def __init__(self, detail: str, wait: float | None = None) -> None:
        super().__init__(detail)
        self.wait = wait


class Sessions:
    """Opens sessions with one server; threads may share it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def open(self) -> ClientConnection:
        """An open WebSocket.

        Raises:
            LostError: not now.
            SetupError: never, with this key or model.
            ServerError: the server refuses.
        """
        connection, model = self._connection, self._connection.model
        try:
            return connect(
                f"{connection.base_url.replace('http', 'ws', 1)}/realtime?model={quote(model, '')}",
                additional_headers={"Authorization": f"Bearer {connection.key}"} if connection.key else None,
                open_timeout=connection.timeout,
                close_timeout=_SECONDS_TO_CLOSE,
                max_size=None,
                logger=_log,
            )
        except InvalidStatus as error:
            refusal = error.response
        except (OSError, InvalidHandshake) as error:
            raise LostError(connection.without_key(str(error))) from None
        told = connection.without_key(bytes(refusal.body or b"").decode("utf-8", "replace"))[:500]
        status = refusal.status_code
        if status in (401, 403, 404):
            raise SetupError(
                f"{connection.host} answered {status} to the model {model!r} and the key in "
                f"{connection.key_variable}: {told}"
            )
        if status == 429 or status >= 500:
            raise LostError(f"it answered {status}: {told}", _seconds(refusal.headers.get("Retry-After")))
        raise ServerError("request_refused", f"{connection.host} answered {status}: {told}")

    def deltas(
        self, websocket: ClientConnection, events: Iterable[JsonObject]
    ) -> Generator[Delta, None, None]:
        """Says the events and yields what the server replies, to its end; then hangs up.

        Raises:
            LostError: the server broke off or had a fault.
            ServerError: it refused, was silent too long or said what is not in the protocol.
            ItemError: it gave no reply.
            SetupError: it never will.
        """
        with websocket:
            try:
                for event in events:
                    websocket.send(json.dumps(event))
                while True:
                    told = self._told(websocket.recv(timeout=self._connection.timeout))
                    kind = told.get("type")
                    if kind in _SPEECH:
                        yield Delta(speech=self._speech(told))
                    elif kind in _TEXT | _TRANSCRIPT:
                        yield Delta(text=str(told.get("delta", "")))
                    elif kind == "error":
                        self._refused(told.get("error"))
                    elif kind == "response.done":
                        yield Delta(truncated=self._is_cut(told.get("response")))
                        return
            except TimeoutError:
                raise ServerError(
                    "timed_out", f"{self._connection.host} was silent for {self._connection.timeout:g} s"
                ) from None
            except ConnectionClosed as error:
                raise LostError(self._connection.without_key(f"it hung up: {error}")) from None
            except WebSocketException as error:
                raise LostError(self._connection.without_key(str(error))) from None

    def _told(self, message: str | bytes) -> JsonObject:
        try:
            told = json.loads(message)
        except ValueError:
            told = None
        if not isinstance(told, dict):
            raise ServerError("bad_response", f"{self._connection.host} said what is no JSON object")
        return told

    def _speech(self, told: JsonObject) -> bytes:
        try:
            return base64.b64decode(told["delta"], validate=True)
        except (KeyError, TypeError, ValueError) as error:
            raise ServerError("bad_response", f"{self._connection.host} sent no base64: {error}") from None

    def _refused(self, error: Any) -> None:
        told = error if isinstance(error, dict) else {}
        kind, code = told.get("type"), told.get("code")
        text = self._connection.without_key(f"{code or kind}: {told.get('message')}")
        if code in _HOPELESS:
            raise SetupError(f"{self._connection.host}: {text}")
        if kind == "server_error" or code == "rate_limit_exceeded":
            raise LostError(text)
        raise ServerError("request_refused", f"{self._connection.host}: {text}")

    def _is_cut(self, response: Any) -> bool:
        """Whether the reply ended because it was long; raises if it ended in another bad way."""
        told = response if isinstance(response, dict) else {}
        details = told.get("status_details") or {}
        status, reason = told.get("status"), details.get("reason")
        if status == "failed":
            self._refused(details.get("error"))
        if status == "incomplete" and reason == "max_output_tokens":
            return True
        if reason == "content_filter":
            raise ItemError("content_filter", "the server broke the reply off")
        if status != "completed":
            raise ServerError(
                "bad_response", f"{self._connection.host}: the reply ended as {status} ({reason})"
            )
        return False


def _seconds(retry_after: str | None) -> float | None:
    """A Retry-After in seconds; a date is left to the usual waits."""
    try:
        return max(0.0, float(retry_after or ""))
    except ValueError:
        return None
