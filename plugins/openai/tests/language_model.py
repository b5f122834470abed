"""A language model over bytes whose every next token depends on all before it, and on what was heard."""

import zlib
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

JsonObject = dict[str, Any]

START, SYSTEM, USER, ASSISTANT, END, AUDIO = range(256, 262)
VOCABULARY = 262
_ROLES = {"system": SYSTEM, "user": USER, "assistant": ASSISTANT}


class TinyModel:
    """Scores are those of softmax over logits drawn by a hash of the whole prefix."""

    def __init__(self) -> None:
        self._kept: dict[int, np.ndarray] = {}

    def ids(self, text: str, special: bool = False) -> list[int]:
        return [START] * special + list(text.encode())

    def logprobs(self, ids: list[int], heard: dict[int, float] | None = None) -> list[JsonObject | None]:
        """As ``prompt_logprobs`` of 0: of each token but the first, by its id.

        Args:
            ids: of the prompt.
            heard: how loud it is where the tokens stand for audio, by place.
        """
        told: list[JsonObject | None] = [None]
        prefix = 0
        for place, (id, following) in enumerate(pairwise(ids)):
            prefix = zlib.crc32(f"{id} {(heard or {}).get(place)}".encode(), prefix)
            told.append({str(following): {"logprob": float(self._next(prefix)[following]), "rank": 1}})
        return told

    def chat(
        self, messages: list[JsonObject], played: Sequence[Any], begins: bool, goes_on: bool, trims: bool
    ) -> tuple[list[int], list[JsonObject | None]]:
        """Ids and log-probabilities of a dialogue in the chat template.

        Args:
            messages: the dialogue.
            played: its clips in order, each with ``rate`` and ``samples``.
            begins: the assistant's turn is opened.
            goes_on: the last message is left open.
            trims: what the assistant says loses the spaces around it.
        """
        ids, heard = [START], {}
        clips = iter(played)
        for message in messages:
            ids.append(_ROLES[message["role"]])
            content = message["content"]
            for part in [{"text": content}] if isinstance(content, str) else content:
                if "input_audio" in part:
                    clip = next(clips)
                    fifth = clip.rate // 5
                    for start in range(0, len(clip.samples), fifth):
                        piece = clip.samples[start : start + fifth].astype(float)
                        heard[len(ids)] = round(float(np.sqrt(np.mean(piece**2))), 1)
                        ids.append(AUDIO)
                else:
                    trimmed = trims and message["role"] == "assistant"
                    ids += self.ids(part["text"].strip() if trimmed else part["text"])
            ids.append(END)
        if goes_on:
            ids.pop()
        if begins:
            ids.append(ASSISTANT)
        return ids, self.logprobs(ids, heard)

    def _next(self, prefix: int) -> np.ndarray:
        if prefix not in self._kept:
            logits = np.random.default_rng(prefix).normal(0, 2, VOCABULARY)
            self._kept[prefix] = logits - np.log(np.exp(logits).sum())
        return self._kept[prefix]
