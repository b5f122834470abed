"""CTC labels: tokens of the LLM, of the short ones alone."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor

from echox_tiny.features import Features

BLANK = 0
# Fewer labels are learned sooner, and cost the frozen LLM some of what it understands of a spelling.
MERGES = 1500


def short_tokenizer(tokenizer_json: Path, merges: int = MERGES) -> Tokenizer:
    """The LLM's BPE with its first so many merges: every token it makes is one of the LLM's."""
    content = json.loads(tokenizer_json.read_text(encoding="utf-8"))
    content["model"]["merges"] = content["model"]["merges"][:merges]
    return Tokenizer.from_str(json.dumps(content))


@dataclass(frozen=True)
class Labels:
    """Those that the training texts have; label 0 is the blank, label i + 1 the token ``tokens[i]``."""

    tokenizer: Tokenizer
    tokens: tuple[int, ...]

    @classmethod
    def of(cls, texts: Iterable[str], tokenizer: Tokenizer) -> "Labels":
        encoded = tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return cls(tokenizer, tuple(sorted({token for one in encoded for token in one.ids})))

    def __len__(self) -> int:
        return len(self.tokens) + 1

    def of_frames(self, features: Features) -> tuple[Tensor, Tensor]:
        """Labels of the text, [tokens], and of each frame, [n]: a token from its first letter to the next's.

        A token that the training texts do not have is left out of the text and is blank in the frames.
        """
        places = {token: place + 1 for place, token in enumerate(self.tokens)}
        encoded = self.tokenizer.encode(features.clip.spoken, add_special_tokens=False)
        frames = torch.full((len(features.frames),), BLANK)
        times = features.times.round().long().tolist()
        for token, (start, end) in zip(encoded.ids, encoded.offsets, strict=True):
            frames[times[start] : times[end]] = places.get(token, BLANK)
        text = [places[token] for token in encoded.ids if token in places]
        return torch.tensor(text), frames
