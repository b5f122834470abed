"""States of the LLM in, speech out: echo decoder, units, vocoder."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from speechzoo import AudioClip, ItemError
from speechzoo.audio import MIN_SECONDS, Samples
from speechzoo.lm.batches import Room, in_batches
from speechzoo_echox.decoding import decode, likeliest
from speechzoo_echox.echo_decoder import EchoDecoder
from speechzoo_echox.units import units_in
from speechzoo_echox.vocoder import Vocoder

# Three or four are usual. What is longer does not fail: memory that runs out makes smaller batches.
_UNIT_TOKENS_OF_A_TEXT_TOKEN = 8


@dataclass(frozen=True)
class Speech:
    """Of one segment.

    Attributes:
        samples: mono, [n], at the vocoder's rate; none if the echo decoder wrote no unit.
        truncated: the echo decoder did not come to an end.
    """

    samples: Samples
    truncated: bool


class Speaker:
    """Speaks segments, each by itself.

    Args:
        echo: writes unit tokens, greedily.
        vocoder: makes sound of units.
        tokenizer: tells units from their tokens.
        unit_tokens_only: tokens of text among those of units are left out; the reference reads their digits.
        max_unit_tokens: of one segment.
    """

    def __init__(
        self,
        echo: EchoDecoder,
        vocoder: Vocoder,
        tokenizer: PreTrainedTokenizerBase,
        unit_tokens_only: bool,
        max_unit_tokens: int,
    ) -> None:
        self.echo = echo
        self.vocoder = vocoder
        self.rate = vocoder.rate
        self._tokenizer = tokenizer
        self._unit_tokens_only = unit_tokens_only
        self._max_unit_tokens = max_unit_tokens

    @torch.inference_mode()
    def speak(self, segments: Sequence[Tensor], token_budget: int, room: Room) -> list[Speech | None]:
        """Speech of each segment's states, [n, hidden]; None if one alone does not fit the memory.

        Args:
            segments: in any order.
            token_budget: most tokens of one forward pass.
            room: of the device.
        """
        prompts = [self.echo.prompt(states) for states in segments]
        places = sorted(range(len(prompts)), key=lambda place: -len(prompts[place]))
        spoken: dict[int, Speech | None] = {}
        for place, ids in in_batches(
            places,
            lambda place: len(prompts[place]) * (1 + _UNIT_TOKENS_OF_A_TEXT_TOKEN),
            token_budget,
            room,
            lambda batch: self.unit_tokens([prompts[place] for place in batch]),
        ):
            spoken[place] = None if ids is None else self._sound(ids)
        return [spoken[place] for place in range(len(prompts))]

    def unit_tokens(self, prompts: Sequence[Tensor]) -> list[list[int]]:
        """The tokens after each prompt, [tokens, width], the end token included if it came."""
        rows: list[list[int]] = [[] for _ in prompts]
        for tokens, _ in islice(decode(self.echo, prompts, likeliest), self._max_unit_tokens):
            for row, token in zip(rows, tokens.tolist(), strict=True):
                if not row or row[-1] != self.echo.end_id:
                    row.append(token)
            if all(row[-1] == self.echo.end_id for row in rows):
                break
        return rows

    def units(self, ids: Sequence[int]) -> list[int]:
        """Speech units of unit tokens."""
        kept = [i for i in ids if i >= self.echo.vocabulary] if self._unit_tokens_only else list(ids)
        return units_in(str(self._tokenizer.decode(kept)), self.vocoder.units)

    def _sound(self, ids: list[int]) -> Speech:
        units = self.units(ids)
        samples = self.vocoder(units).cpu().numpy() if units else np.zeros(0, np.float32)
        return Speech(samples, truncated=ids[-1] != self.echo.end_id)


def joined(pieces: Sequence[Speech]) -> Speech:
    """One after the other, without a gap or overlap."""
    samples = [np.zeros(0, np.float32), *(piece.samples for piece in pieces)]
    return Speech(np.concatenate(samples), any(piece.truncated for piece in pieces))


class GrowingSpeech:
    """Clips of a stream; the shortest possible one is always held back, so that the last is not shorter.

    Args:
        rate: of the samples, in Hz.
    """

    def __init__(self, rate: int) -> None:
        self.truncated = False
        self._rate = rate
        self._shortest = math.ceil(MIN_SECONDS * rate)
        self._held: Samples = np.zeros(0, np.float32)

    def add(self, speech: Speech) -> AudioClip | None:
        """What can be played now."""
        self.truncated |= speech.truncated
        self._held = np.concatenate([self._held, speech.samples])
        if len(self._held) < 2 * self._shortest:
            return None
        ready, self._held = self._held[: -self._shortest], self._held[-self._shortest :]
        return clip_of(ready, self._rate)

    def rest(self) -> AudioClip:
        """What was held back; there is nothing more to come."""
        return clip_of(self._held, self._rate)


def clip_of(samples: Samples, rate: int) -> AudioClip:
    """Speech as a clip.

    Raises:
        ItemError: ``no_speech``, it is shorter than a clip can be.
    """
    if len(samples) < MIN_SECONDS * rate:
        raise ItemError("no_speech", f"the text became {len(samples)} samples of speech at {rate} Hz")
    return AudioClip.from_samples(samples, rate)
