"""A server on this machine that speaks OpenAI's HTTP protocol, and answers by what it was given.

It is as strict as the real ones, and can be told to be as troublesome. What it says tells how loud each half
second of the clips was that it heard, so that an answer proves what reached it.
"""

import base64
import io
import json
import time
import wave
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

import numpy as np
import soundfile

from plugins.openai.tests.language_model import TinyModel

JsonObject = dict[str, Any]

KEY = "sk-right-0123456789"
VARIABLE = "SPEECHZOO_KEY_LOCALHOST"
MODEL = "echo-1"
RATE = 24_000
WORDS_A_SECOND = 5
ROLES = {"system", "developer", "user", "assistant"}
OF_OPENAI = {
    "model",
    "messages",
    "modalities",
    "audio",
    "temperature",
    "seed",
    "max_completion_tokens",
    "response_format",
}


class RefusedError(Exception):
    """A request that the protocol does not allow."""

    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}


@dataclass
class Reply:
    """What the model says: ``text``, and how it ended."""

    text: str
    refusal: str | None = None
    finish_reason: str = "stop"


@dataclass
class Trouble:
    """What a request meets instead of an answer: a status, a wait, or a body that is no answer."""

    status: int = 200
    retry_after: float | None = None
    wait: float = 0.0
    body: bytes | None = None
    cut: bool = False
    error: JsonObject | None = None


@dataclass
class Heard:
    """A clip as it arrived: its format, rate in Hz and samples, [n]."""

    form: str
    rate: int
    samples: np.ndarray


@dataclass
class Server:
    """What it is like and what it was asked.

    Attributes:
        says: the reply to a chat, by its body; None tells what was heard.
        troubles: of the next requests.
        keyless: takes anybody, as a server on one's own machine does.
        takes: formats of clips.
        takes_schema: knows ``response_format``.
        scores: has ``prompt_logprobs`` and ``/tokenize``, and like vLLM passes over unknown fields.
        trims: its chat template cuts spaces around what the assistant says.
        splits: answers words and speech as two choices, as vLLM-Omni does.
        open_wav: leaves the lengths in a WAV header open.
        tells_usage: counts tokens, and among them those heard.
        lists: the models that it says it has; None where it does not say.
        received: bodies by path, and when they came.
    """

    says: Callable[[JsonObject], Reply] | None = None
    troubles: deque[Trouble] = field(default_factory=deque)
    keyless: bool = False
    takes: tuple[str, ...] = ("wav", "mp3")
    takes_schema: bool = True
    scores: bool = False
    scores_audio: bool = True
    trims: bool = False
    splits: bool = False
    open_wav: bool = False
    tells_usage: bool = True
    tells_audio_tokens: bool = True
    lists: tuple[str, ...] | None = (MODEL,)
    base_url: str = ""
    received: list[tuple[str, JsonObject]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)
    model: TinyModel = field(default_factory=TinyModel)
    under_way: int = 0
    most_under_way: int = 0

    @property
    def bodies(self) -> list[JsonObject]:
        return [body for _, body in self.received]

    def clips(self, number: int = -1) -> list[Heard]:
        """Those of one request, the last by default."""
        return [clip for message in self.bodies[number]["messages"] for clip in clips_of(message)]

    def answer(self, path: str, body: JsonObject) -> JsonObject:
        if path == "/v1/chat/completions":
            return self._chat(body)
        if self.scores and path == "/v1/completions":
            return self._completions(body)
        if self.scores and path == "/tokenize":
            return self._tokenize(body)
        raise RefusedError(404, f"no path {path}")

    def look_up(self, path: str) -> JsonObject:
        if path == "/v1/models" and self.lists is not None:
            return {"object": "list", "data": [{"id": name, "object": "model"} for name in self.lists]}
        raise RefusedError(404, f"no path {path}")

    def _chat(self, body: JsonObject) -> JsonObject:
        self._check_chat(body)
        speaks = "audio" in body.get("modalities", ())
        reply = self.says(body) if self.says else Reply(told_of(body["messages"]))
        words = reply.text.split(" ")
        # A spoken word is a token of text and some of audio.
        room = body.get("max_completion_tokens", 10**6) // (1 + 4 * speaks)
        if len(words) > room:
            reply = Reply(" ".join(words[:room]), finish_reason="length")
        message: JsonObject = {"role": "assistant", "content": reply.text, "refusal": reply.refusal}
        if speaks:
            form = body["audio"]["format"]
            speech = base64.b64encode(self._speech(reply.text, form)).decode()
            audio = {"id": "audio_1", "data": speech, "expires_at": 0, "transcript": reply.text}
            message |= {"content": None, "audio": audio}
        choices = [{"index": 0, "finish_reason": reply.finish_reason, "message": message}]
        if speaks and self.splits:
            words_alone = {**message, "content": reply.text, "audio": None}
            choices = [{**choices[0], "message": words_alone}, {**choices[0], "index": 1}]
        told: JsonObject = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 0,
            "model": f"{MODEL}-2025-01-01",
            "system_fingerprint": "fp_1",
            "choices": choices,
        }
        if self.tells_usage:
            seconds = sum(len(c.samples) / c.rate for m in body["messages"] for c in clips_of(m))
            text = sum(len(text_of(message).split()) for message in body["messages"])
            usage: JsonObject = {
                "prompt_tokens": text + round(10 * seconds),
                "completion_tokens": len(words),
                "total_tokens": text + round(10 * seconds) + len(words),
            }
            if self.tells_audio_tokens:
                usage["prompt_tokens_details"] = {"audio_tokens": round(10 * seconds)}
            told["usage"] = usage
        if self.scores and body.get("prompt_logprobs") is not None:
            played = [clip for message in body["messages"] for clip in clips_of(message)]
            ids, logprobs = self.model.chat(
                body["messages"],
                played,
                body.get("add_generation_prompt", True),
                body.get("continue_final_message", False),
                self.trims,
            )
            told["prompt_logprobs"] = None if played and not self.scores_audio else logprobs
            told["prompt_token_ids"] = ids
        return told

    def _check_chat(self, body: JsonObject) -> None:
        if (unknown := set(body) - OF_OPENAI) and not self.scores:
            raise RefusedError(400, f"Unrecognized request argument supplied: {', '.join(sorted(unknown))}")
        if body.get("model") != MODEL:
            raise RefusedError(404, f"The model {body.get('model')!r} does not exist", "model_not_found")
        if not isinstance(body.get("messages"), list) or not body["messages"]:
            raise RefusedError(400, "'messages' has to be a list that is not empty")
        for message in body["messages"]:
            self._check_message(message)
        if "audio" in body.get("modalities", ()):
            audio = body.get("audio") or {}
            if not audio.get("voice") or audio.get("format") not in ("wav", "pcm16", "mp3", "flac", "opus"):
                raise RefusedError(400, "audio.voice and audio.format are required for audio output")
        form = body.get("response_format")
        if form is not None and not self.takes_schema:
            raise RefusedError(
                400, "Invalid parameter: 'response_format' of type 'json_schema' is not supported"
            )
        if form is not None and not (form["type"] == "json_schema" and form["json_schema"]["name"]):
            raise RefusedError(400, "response_format is not valid")

    def _check_message(self, message: JsonObject) -> None:
        role, content = message.get("role"), message.get("content")
        if role not in ROLES:
            raise RefusedError(400, f"no role {role!r}")
        if isinstance(content, str):
            return
        if not isinstance(content, list) or not content:
            raise RefusedError(400, "content is a text or a list that is not empty")
        for part in content:
            if part.get("type") == "text" and part.get("text"):
                continue
            if part.get("type") != "input_audio":
                raise RefusedError(400, f"no content part {part.get('type')!r}, or an empty text")
            if role != "user":
                raise RefusedError(400, f"input_audio is not allowed in a message of the {role}")
            if part["input_audio"].get("format") not in self.takes:
                raise RefusedError(400, f"input_audio.format is one of {self.takes}")
            heard(part)

    def _completions(self, body: JsonObject) -> JsonObject:
        prompts = body["prompt"]
        if not (isinstance(prompts, list) and all(isinstance(prompt, list) and prompt for prompt in prompts)):
            raise RefusedError(400, "prompt has to be token ids")
        choices = [
            {
                "index": i,
                "text": "a",
                "finish_reason": "length",
                "prompt_logprobs": self.model.logprobs(prompt),
            }
            for i, prompt in enumerate(prompts)
        ]
        return {"id": "cmpl-1", "object": "text_completion", "created": 0, "model": MODEL, "choices": choices}

    def _tokenize(self, body: JsonObject) -> JsonObject:
        if "messages" in body:
            ids, _ = self.model.chat(
                body["messages"], (), body.get("add_generation_prompt", True), False, False
            )
        else:
            ids = self.model.ids(body["prompt"], body.get("add_special_tokens", True))
        return {"count": len(ids), "max_model_len": 4096, "tokens": ids}

    def _speech(self, text: str, form: str) -> bytes:
        samples = spoken(text)
        if form == "pcm16":
            return samples.tobytes()
        buffer = io.BytesIO()
        with wave.open(buffer, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.writeframes(samples.tobytes())
        whole = bytearray(buffer.getvalue())
        if self.open_wav:
            whole[4:8] = whole[40:44] = b"\xff\xff\xff\xff"
        return bytes(whole)


def told_of(messages: list[JsonObject]) -> str:
    """A number that all texts go into, then loudness by half seconds, the last first."""
    texts = json.dumps([[message["role"], text_of(message)] for message in messages])
    words = [f"{zlib.crc32(texts.encode()):08x}"]
    for clip in (clip for message in messages for clip in clips_of(message)):
        half = clip.rate // 2
        pieces = [clip.samples[max(0, end - half) : end] for end in range(len(clip.samples), 0, -half)]
        words += [f"{np.sqrt(np.mean(piece.astype(float) ** 2)) / 32_768:.3f}" for piece in pieces]
    return " ".join(words)


def spoken(text: str) -> np.ndarray:
    """A tone of its own for each text, 16 bit at 24 kHz; longer texts take longer."""
    seconds = 0.3 + len(text.split()) / WORDS_A_SECOND
    pitch = 200 + zlib.crc32(text.encode()) % 1000
    times = np.arange(round(seconds * RATE)) / RATE
    return np.rint(8_000 * np.sin(2 * np.pi * pitch * times)).astype("<i2")


def text_of(message: JsonObject) -> str:
    content = message["content"]
    return content if isinstance(content, str) else "|".join(part.get("text", "#") for part in content)


def clips_of(message: JsonObject) -> list[Heard]:
    content = message["content"]
    return [heard(part) for part in content if "input_audio" in part] if isinstance(content, list) else []


def heard(part: JsonObject) -> Heard:
    """A clip that is what it says it is."""
    given = part["input_audio"]
    if given["data"].startswith("data:"):
        raise RefusedError(400, "input_audio.data is base64 without a prefix")
    try:
        data = base64.b64decode(given["data"], validate=True)
        samples, rate = soundfile.read(io.BytesIO(data), dtype="int16")
        form, subtype = soundfile.info(io.BytesIO(data)).format, soundfile.info(io.BytesIO(data)).subtype
    except (ValueError, soundfile.LibsndfileError) as error:
        raise RefusedError(400, f"input_audio.data cannot be read: {error}") from error
    if form.lower() != given["format"] or (form == "WAV" and subtype != "PCM_16") or samples.ndim != 1:
        raise RefusedError(400, f"input_audio says {given['format']} and is {form} {subtype} {samples.shape}")
    return Heard(given["format"], rate, samples)


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    """Answers requests until the context is left."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with server.lock:
                server.times.append(time.monotonic())
                server.under_way += 1
                server.most_under_way = max(server.most_under_way, server.under_way)
                trouble = server.troubles.popleft() if server.troubles else Trouble()
            try:
                self._answer(raw, trouble)
            except ConnectionError:  # nobody waits any more
                pass
            finally:
                with server.lock:
                    server.under_way -= 1

        do_GET = do_POST  # noqa: N815

        def _answer(self, raw: bytes, trouble: Trouble) -> None:
            time.sleep(trouble.wait)
            if trouble.status != 200:
                error = trouble.error or {"message": "not now", "type": "server_error", "code": None}
                self._send(trouble.status, json.dumps({"error": error}).encode(), trouble.retry_after)
                return
            try:
                told = self._told(raw)
            except RefusedError as refusal:
                self._send(refusal.status, json.dumps({"error": refusal.error}).encode())
                return
            body = trouble.body if trouble.body is not None else json.dumps(told).encode()
            self._send(200, body, cut=trouble.cut)

        def _told(self, raw: bytes) -> JsonObject:
            asks = self.command == "POST"
            if asks and self.headers.get("Content-Type", "").partition(";")[0] != "application/json":
                raise RefusedError(415, "Content-Type has to be application/json")
            given = self.headers.get("Authorization", "")
            if not server.keyless and given != f"Bearer {KEY}":
                # As the worst of servers do, it repeats what it was given.
                raise RefusedError(401, f"Incorrect API key provided: {given}", "invalid_api_key")
            if not asks:
                return server.look_up(self.path)
            body = json.loads(raw)
            with server.lock:
                server.received.append((self.path, body))
            return server.answer(self.path, body)

        def _send(
            self, status: int, body: bytes, retry_after: float | None = None, cut: bool = False
        ) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            if retry_after is not None:
                self.send_header("Retry-After", str(retry_after))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if cut else body)
            self.close_connection = self.close_connection or cut

        def log_message(self, *_: object) -> None:
            """Nothing is written."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        server.base_url = f"http://127.0.0.1:{http.server_port}/v1"
        try:
            yield server
        finally:
            http.shutdown()
