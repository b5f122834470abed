"""CTC labels: tokens of the LLM that the training texts have often."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor

from echox_tiny.features import Features

BLANK = 0
# A label that is rarely heard is not learned, and is spelled in shorter ones. The frozen LLM reads that
# nearly as well as its own spelling; that of its first 1,500 merges, the web's and code's, it does not.
OFTEN = 20


@dataclass(frozen=True)
class Labels:
    """Label 0 is the blank, label i + 1 the token ``tokens[i]``.

    Attributes:
        tokenizer: of the LLM.
        tokens: those that are labels.
        halves: of each token that is no byte, the two that are merged into it.
    """

    tokenizer: Tokenizer
    tokens: tuple[int, ...]
    halves: dict[int, tuple[int, int]]

    @classmethod
    def of(cls, texts: Iterable[str], tokenizer_json: Path, often: int = OFTEN) -> "Labels":
        """Those of the texts: each occurs at least ``often`` times in them, or is a single letter.

        Args:
            texts: that are trained with, in ASCII.
            tokenizer_json: of the LLM, a BPE of bytes.
            often: times.
        """
        halves = _halves(tokenizer_json)
        tokenizer = Tokenizer.from_file(str(tokenizer_json))
        encoded = tokenizer.encode_batch(list(texts), add_special_tokens=False)
        counts = Counter(token for one in encoded for token in one.ids)
        # From the last merge to the first, as a half may be rare, too.
        for token in reversed(halves):
            if counts[token] < often:
                for half in halves[token]:
                    counts[half] += counts[token]
                del counts[token]
        return cls(tokenizer, tuple(sorted(token for token, count in counts.items() if count)), halves)

    def __len__(self) -> int:
        return len(self.tokens) + 1

    def of_frames(self, features: Features) -> tuple[Tensor, Tensor]:
        """Labels of the text, [tokens], and of each frame, [n]: a token from its first letter to the next's.

        A letter that the training texts do not have is left out of the text and is blank in the frames.
        """
        frames = torch.full((len(features.frames),), BLANK)
        times = features.times.round().long().tolist()
        for token, start, end in self.spell(features.clip.spoken):
            frames[times[start] : times[end]] = self.label(token)
        return torch.tensor(self.of_text(features.clip.spoken)), frames

    def of_text(self, text: str) -> list[int]:
        """But for letters that the training texts do not have."""
        labels = (self.label(token) for token, _, _ in self.spell(text))
        return [label for label in labels if label != BLANK]

    def label(self, token: int) -> int:
        """Its own; the blank, if it is none of the labels."""
        return self._places.get(token, BLANK)

    @cached_property
    def _places(self) -> dict[int, int]:
        return {token: place + 1 for place, token in enumerate(self.tokens)}

    def spell(self, text: str) -> Iterator[tuple[int, int, int]]:
        """The text's labels as tokens, and from which letter to which each is."""
        encoded = self.tokenizer.encode(text, add_special_tokens=False)
        for token, (start, _) in zip(encoded.ids, encoded.offsets, strict=True):
            for piece in self._pieces(token):
                end = start + len(self.tokenizer.decode([piece]))
                yield piece, start, end
                start = end

    def _pieces(self, token: int) -> Iterator[int]:
        if token in self._places or token not in self.halves:
            yield token
        else:
            for half in self.halves[token]:
                yield from self._pieces(half)


def _halves(tokenizer_json: Path) -> dict[int, tuple[int, int]]:
    """In the order of the merges."""
    model = json.loads(tokenizer_json.read_text(encoding="utf-8"))["model"]
    vocabulary, merges = model["vocab"], model["merges"]
    pairs = [merge.split(" ") if isinstance(merge, str) else merge for merge in merges]
    return {vocabulary[first + second]: (vocabulary[first], vocabulary[second]) for first, second in pairs}
