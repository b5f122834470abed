"""Scores by a server that tells the log-probabilities of prompts, as vLLM's does."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Unpack

from speechzoo import (
    AudioClip,
    ContinuationScore,
    Failure,
    ItemError,
    ScoreAnswer,
    ScoreAsk,
    Setup,
    SetupError,
    raw,
    user,
)
from speechzoo.asks import named
from speechzoo.audio import silence
from speechzoo.dialogue import parts_of
from speechzoo_openai.client import Client, JsonObject, Told
from speechzoo_openai.connection import Connection, Options, ServerError
from speechzoo_openai.content import check_size, messages_of

Ids = tuple[int, ...]

# What vLLM writes for minus infinity, which JSON does not have.
_IMPOSSIBLE = -9999.0
_TEXTS_KEPT = 65_536


class _Tokens(Told):
    tokens: list[int]


class _Logprob(Told):
    logprob: float


Logprobs = list[dict[str, _Logprob] | None]


class _Prompt(Told):
    """An entry for each token, which finds it by its id; that of the first is None."""

    prompt_logprobs: Logprobs


class _Prompts(Told):
    choices: list[_Prompt]


class _Chat(_Prompt):
    prompt_token_ids: list[int]


class _Server:
    """The requests that scores are made of."""

    def __init__(self, connection: Connection) -> None:
        self.client = Client(connection)
        self._address = connection.base_url.removesuffix("/v1") + "/tokenize"
        self.ids = lru_cache(_TEXTS_KEPT)(self._ids)

    def tokenize(self, body: JsonObject) -> Ids:
        told = self.client.post(self._address, {"model": self.client.connection.model, **body})
        return tuple(self.client.read(_Tokens, told).tokens)

    def continuations(self, ask: ScoreAsk) -> list[tuple[str, Ids]]:
        """Each with its tokens.

        Raises:
            ItemError: one is a clip or has no token.
        """
        found = []
        for part in ask.continuations:
            if isinstance(part, AudioClip):
                raise ItemError("cannot_score_speech", "a server scores text, and a continuation is a clip")
            if not (ids := self.ids(part)):
                raise ItemError("empty_continuation", f"no token in the continuation {named(part)}")
            found.append((part, ids))
        return found

    def prompts(self, prompts: Sequence[Sequence[int]]) -> list[Logprobs]:
        """Log-probabilities of prompts in token ids."""
        body = {**self._scored(), "prompt": [list(ids) for ids in prompts]}
        told = self.client.read(_Prompts, self.client.post("/completions", body)).choices
        if len(told) != len(prompts):
            raise ServerError("bad_response", f"{len(prompts)} prompts were sent, {len(told)} came back")
        return [one.prompt_logprobs for one in told]

    def chat(self, messages: Sequence[JsonObject], **template: bool) -> _Chat:
        """Ids and log-probabilities of a dialogue in the chat template."""
        body = {**self._scored(), "messages": list(messages), "return_token_ids": True, **template}
        return self.client.read(_Chat, self.client.post("/chat/completions", body))

    def _scored(self) -> JsonObject:
        # A server generates one token at least.
        model = self.client.connection.model
        return {"model": model, "max_tokens": 1, "temperature": 0.0, "prompt_logprobs": 0}

    def _ids(self, text: str) -> Ids:
        return self.tokenize({"prompt": text, "add_special_tokens": False}) if text else ()


class Completions:
    """Scores under text: a prompt is put together here in token ids, and given to ``/completions``.

    Each part is tokenized apart by the server's ``/tokenize``, and no special token comes between. An empty
    context becomes the token that the tokenizer begins a text with; without one it fails with ``no_context``.

    Raises:
        SetupError: no key, no model's name, or a server that lacks what scores need: one small request of
            each kind is sent at once.
    """

    def __init__(self, setup: Setup, **options: Unpack[Options]) -> None:
        self._server = _Server(Connection.open(setup, **options))
        with_text = ScoreAsk(raw("Look:"), ("a",))
        _probe(setup.name, "prompt_logprobs of /completions", lambda: self._score(with_text))
        self._start = self._server.tokenize({"prompt": "", "add_special_tokens": True})

    def score(self, asks: Sequence[ScoreAsk]) -> list[ScoreAnswer | Failure]:
        return self._server.client.each(self._score, asks)

    def close(self) -> None:
        self._server.client.close()

    def _score(self, ask: ScoreAsk) -> ScoreAnswer:
        continuations = self._server.continuations(ask)
        context = self._context(ask)
        prompts = [(*context, *ids) for _, ids in continuations]
        told = zip(prompts, self._server.prompts(prompts), continuations, strict=True)
        return ScoreAnswer(tuple(_sum(prompt, logprobs, len(ids)) for prompt, logprobs, (_, ids) in told))

    def _context(self, ask: ScoreAsk) -> Ids:
        if ask.chat:
            messages = messages_of(ask.context)
            return self._server.tokenize({"messages": messages, "add_generation_prompt": True})
        ids = tuple(id for part in parts_of(ask.context) for id in self._server.ids(str(part)))
        if not ids and not self._start:
            raise ItemError("no_context", "the context is empty, and no token of the model begins a text")
        return ids or self._start


class ChatScores:
    """Scores under text and audio: the continuation is the beginning of the assistant's message.

    Clips can go nowhere but to ``/chat/completions``. So contexts that are to be given as they are stand in
    the chat template all the same, those read like those heard. A continuation that the template changes
    (many templates cut a space at its beginning) fails with ``other_tokens``.

    Args:
        setup: its name.
        sends: ``wav`` or ``flac``.
        max_megabytes: of all clips of one request, in base64.

    Raises:
        SetupError: as of `Completions`.
    """

    def __init__(
        self, setup: Setup, sends: str = "wav", max_megabytes: float = 20.0, **options: Unpack[Options]
    ) -> None:
        self._server = _Server(Connection.open(setup, **options))
        self._sends = sends
        self._max_megabytes = max_megabytes
        with_audio = ScoreAsk(raw(silence(0.5)), ("a",))
        _probe(setup.name, "prompt_logprobs of a chat with audio", lambda: self._score(with_audio))

    def score(self, asks: Sequence[ScoreAsk]) -> list[ScoreAnswer | Failure]:
        return self._server.client.each(self._score, asks)

    def close(self) -> None:
        self._server.client.close()

    def _score(self, ask: ScoreAsk) -> ScoreAnswer:
        continuations = self._server.continuations(ask)
        # No chat is without a message.
        messages = messages_of(ask.context or (user(""),), self._sends)
        check_size(messages, self._max_megabytes)
        before = self._server.chat(messages, add_generation_prompt=True).prompt_token_ids
        scores = []
        for text, ids in continuations:
            begun = [*messages, {"role": "assistant", "content": text}]
            told = self._server.chat(begun, add_generation_prompt=False, continue_final_message=True)
            if told.prompt_token_ids != [*before, *ids]:
                raise ItemError("other_tokens", f"the chat template changes the continuation {text!r}")
            scores.append(_sum(told.prompt_token_ids, told.prompt_logprobs, len(ids)))
        return ScoreAnswer(tuple(scores))


def _probe(name: str, needed: str, score: Callable[[], ScoreAnswer]) -> None:
    """Raises `SetupError` if the server cannot answer a first small request."""
    try:
        score()
    except (ItemError, SetupError) as error:
        raise SetupError(
            f"{name} needs a server with /tokenize and {needed}; a first small request failed:\n{error}"
        ) from None


def _sum(ids: Sequence[int], logprobs: Logprobs, last: int) -> ContinuationScore:
    """Of the last tokens.

    Raises:
        ItemError: a token has no log-probability, or that of something impossible.
    """
    if len(logprobs) != len(ids):
        raise ServerError("bad_response", f"{len(ids)} tokens have {len(logprobs)} log-probabilities")
    found = [(told or {}).get(str(id)) for id, told in zip(ids[-last:], logprobs[-last:], strict=True)]
    values = [one.logprob for one in found if one is not None]
    if len(values) < last:
        raise ServerError("bad_response", "a token of the continuation came without its log-probability")
    if min(values) <= _IMPOSSIBLE:
        raise ItemError("non_finite", "the model gives a token of the continuation no probability at all")
    return ContinuationScore(float(sum(values)), last)
