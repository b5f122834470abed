"""A server on this machine that speaks OpenAI's realtime protocol over a WebSocket."""

import base64
import json
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from plugins.openai.tests.protocol import KEY, MODEL, spoken

JsonObject = dict[str, Any]

# Deltas end in the middle of a sample now and then, as the protocol does not forbid it.
BYTES_A_DELTA = 1_001
PCM = {"type": "audio/pcm", "rate": 24_000}


class WrongError(Exception):
    """What the protocol does not allow."""


@dataclass
class Trouble:
    """What the next session meets: a status at the door, a hang, or a line that breaks."""

    status: int = 0
    retry_after: float | None = None
    wait: float = 0.0
    breaks: bool = False
    garbage: bool = False
    status_details: JsonObject | None = None
    error: JsonObject | None = None


@dataclass
class RealtimeServer:
    """What it is like and what it was told.

    Attributes:
        old: names its deltas as servers before general availability did.
        troubles: of the next sessions.
        sessions: the events that came in each.
    """

    old: bool = False
    keyless: bool = False
    troubles: deque[Trouble] = field(default_factory=deque)
    sessions: list[list[JsonObject]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    base_url: str = ""
    open_sessions: int = 0

    def enter(self, _: ServerConnection, request: Request) -> Response | None:
        self.times.append(time.monotonic())
        if self.troubles and self.troubles[0].status:
            trouble = self.troubles.popleft()
            wait = {"Retry-After": str(trouble.retry_after)} if trouble.retry_after is not None else {}
            return _response(trouble.status, "not now", wait)
        given = request.headers.get("Authorization", "")
        if not self.keyless and given != f"Bearer {KEY}":
            return _response(401, f"Incorrect API key provided: {given}", {})
        address = urlsplit(request.path)
        if address.path != "/v1/realtime" or parse_qs(address.query).get("model") != [MODEL]:
            return _response(404, "no such model", {})
        return None

    def talk(self, socket: ServerConnection) -> None:
        self.open_sessions += 1
        try:
            self._talk(socket)
        finally:
            self.open_sessions -= 1

    def _talk(self, socket: ServerConnection) -> None:
        trouble = self.troubles.popleft() if self.troubles else Trouble()
        events: list[JsonObject] = []
        self.sessions.append(events)
        items: list[JsonObject] = []
        session: JsonObject = {}

        def send(kind: str, **rest: Any) -> None:
            socket.send(json.dumps({"type": kind, "event_id": "event_1", **rest}))

        send("session.created", session={"type": "realtime"})
        try:
            for message in socket:
                event = json.loads(message)
                events.append(event)
                try:
                    if event["type"] == "session.update":
                        session = _session(event["session"])
                        send("session.updated", session=session)
                    elif event["type"] == "conversation.item.create":
                        items.append(_item(event["item"]))
                        send("conversation.item.added", item=event["item"])
                    elif event["type"] == "response.create":
                        self._reply(socket, send, session, items, trouble)
                    else:
                        raise WrongError(f"no event {event['type']}")
                except WrongError as error:
                    send(
                        "error", error={"type": "invalid_request_error", "code": None, "message": str(error)}
                    )
        except ConnectionClosed:
            return

    def _reply(
        self,
        socket: ServerConnection,
        send: Any,
        session: JsonObject,
        items: list[JsonObject],
        trouble: Trouble,
    ) -> None:
        if not session or not items:
            raise WrongError("there is no session, or nothing to reply to")
        time.sleep(trouble.wait)
        if trouble.error:
            send("error", error=trouble.error)
            return
        if trouble.garbage:
            socket.send("<html>")
            return
        words = _told_of(session, items).split(" ")
        speaks = session["output_modalities"] == ["audio"]
        room = session["max_output_tokens"] // (1 + 4 * speaks)
        text = " ".join(words[:room])
        kind = "response." if self.old else "response.output_"
        for start in range(0, len(text), 7):
            part = text[start : start + 7]
            send(f"{kind}audio_transcript.delta" if speaks else f"{kind}text.delta", delta=part)
        speech = spoken(text).tobytes() if speaks else b""
        for start in range(0, len(speech), BYTES_A_DELTA):
            if trouble.breaks and start > len(speech) // 2:
                socket.close(1011, "internal error")
                return
            delta = speech[start : start + BYTES_A_DELTA]
            send(f"{kind}audio.delta", delta=base64.b64encode(delta).decode())
        told: JsonObject = {
            "object": "realtime.response",
            "status": "completed",
            "usage": {"total_tokens": 9},
        }
        if len(words) > room:
            told |= {"status": "incomplete", "status_details": {"reason": "max_output_tokens"}}
        if trouble.status_details:
            told |= {"status": trouble.status_details["type"], "status_details": trouble.status_details}
        send("response.done", response=told)


def _session(given: JsonObject) -> JsonObject:
    audio = given.get("audio", {})
    if given.get("type") != "realtime":
        raise WrongError("Missing required parameter: 'session.type'")
    if given.get("output_modalities") not in (["text"], ["audio"]):
        raise WrongError("output_modalities is ['text'] or ['audio']")
    if audio["input"]["format"] != PCM or audio["output"]["format"] != PCM or not audio["output"]["voice"]:
        raise WrongError("audio formats are pcm at 24000")
    if audio["input"]["turn_detection"] is not None:
        raise WrongError("this test wants turns to end by themselves")
    if not 1 <= given["max_output_tokens"] <= 4096:
        raise WrongError("max_output_tokens is within 1 and 4096")
    return given


def _item(given: JsonObject) -> JsonObject:
    if given.get("type") != "message" or not given.get("content"):
        raise WrongError("an item is a message with content")
    allowed = {"user": {"input_text", "input_audio"}, "assistant": {"output_text"}, "system": {"input_text"}}
    for part in given["content"]:
        if part["type"] not in allowed[given["role"]]:
            raise WrongError(f"no {part['type']} in a message of the {given['role']}")
        if part["type"] == "input_audio" and len(base64.b64decode(part["audio"], validate=True)) % 2:
            raise WrongError("half a sample")
    return given


def _told_of(session: JsonObject, items: list[JsonObject]) -> str:
    """Instructions and texts, then for each clip its samples and loudness by half seconds, the last first."""
    words = [session["instructions"] or "-"]
    for item in items:
        for part in item["content"]:
            if "text" in part:
                words.append(f"{item['role']}:{part['text'].replace(' ', '_')}")
            else:
                samples = np.frombuffer(base64.b64decode(part["audio"]), "<i2").astype(float)
                words.append(f"{len(samples) / 24_000:.2f}s")
                ends = range(len(samples), 0, -12_000)
                words += [
                    f"{np.sqrt(np.mean(samples[max(0, end - 12_000) : end] ** 2)) / 32_768:.3f}"
                    for end in ends
                ]
    return " ".join(words)


def _response(status: int, text: str, headers: dict[str, str]) -> Response:
    body = text.encode()
    lines = Headers({"Content-Type": "text/plain", "Content-Length": str(len(body)), **headers})
    return Response(status, HTTPStatus(status).phrase, lines, body)


@contextmanager
def serving_realtime(server: RealtimeServer) -> Iterator[RealtimeServer]:
    """Answers sessions until the context is left."""
    with serve(server.talk, "127.0.0.1", 0, process_request=server.enter, max_size=2**24) as running:
        Thread(target=running.serve_forever, daemon=True).start()
        server.base_url = f"http://127.0.0.1:{running.socket.getsockname()[1]}/v1"
        yield server
        running.shutdown()
