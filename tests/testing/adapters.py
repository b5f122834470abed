"""A tiny speech LLM that keeps every promise: random weights, tokens are letters, no files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from speechzoo import (
    AudioClip,
    Capability,
    Failure,
    ReplyAnswer,
    ReplyAsk,
    ScoreAnswer,
    ScoreAsk,
    lm,
)
from speechzoo.audio import Samples

TEMPLATE = (
    "{% for m in messages %}<s>{{ m['role'] }}: {{ m['content'] }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant:{% endif %}"
)
FRAME = 3200  # samples of 16 kHz: a fifth of a second
RATE = 16_000


class TinySpeechLM(lm.CausalLM):
    """Every fifth of a second becomes one embedding: how loud each piece of it is."""

    max_clip_seconds = 40.0

    def embed_audio(self, waves: Sequence[Samples]) -> list[torch.Tensor | Failure]:
        return [self._frames(torch.from_numpy(wave)) for wave in waves]

    def audio_ids(self, waves: Sequence[Samples]) -> list[list[int] | Failure]:
        """One token for each frame, by how loud it is."""
        frames = [self._frames(torch.from_numpy(wave)).mean(1) for wave in waves]
        return [(2 + (loud * 100).int().clamp(max=90)).tolist() for loud in frames]

    def _frames(self, wave: torch.Tensor) -> torch.Tensor:
        hidden = self.model.config.hidden_size
        pieces = wave[: len(wave) // FRAME * FRAME].reshape(-1, hidden, FRAME // hidden)
        return pieces.square().mean(-1).sqrt() * 10.0


class TinyAdapter:
    """Scores, replies, speaks and streams; every fault of the tests is a subclass."""

    LM = TinySpeechLM
    temperature = 0.0

    def __init__(self, seed: int) -> None:
        self.lm = self.LM(tiny_llama(), tiny_tokenizer(), "tiny")
        self.seed = seed

    def score(self, asks: Sequence[ScoreAsk]) -> list[ScoreAnswer | Failure]:
        return lm.score(self.lm, asks, 4096)

    def score_plainly(self, ask: ScoreAsk) -> ScoreAnswer:
        return lm.score_plainly(self.lm, ask)

    def reply(self, asks: Sequence[ReplyAsk]) -> list[ReplyAnswer | Failure]:
        written = lm.reply(self.lm, asks, 4096, self.temperature, self.seed)
        return [
            ReplyAnswer(answer.text, spoken(answer.text), answer.truncated)
            if ask.speech and isinstance(answer, ReplyAnswer)
            else answer
            for ask, answer in zip(asks, written, strict=True)
        ]

    def stream(self, ask: ReplyAsk):
        [whole] = self.reply([ask])
        for letter in whole.text:
            yield ReplyAnswer(letter, spoken(letter))

    def close(self) -> None:
        self.lm.close()


def spoken(text: str, rate: int = RATE) -> AudioClip:
    """A tone of 0.1 s for each letter."""
    times = np.arange(rate // 10) / rate
    tones = [np.sin(2 * np.pi * (200 + ord(letter) % 500) * times) for letter in text or " "]
    return AudioClip.from_samples((0.3 * np.concatenate(tones)).astype(np.float32), rate)


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    # Printable ASCII; the alphabet of bytes writes a space as Ġ.
    letters = [*map(chr, range(33, 127)), "Ġ"]
    vocabulary = {token: number for number, token in enumerate(["<s>", "</s>", *letters])}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", chat_template=TEMPLATE
    )


def tiny_llama() -> LlamaForCausalLM:
    """Weights from N(0, 0.2): with the default 0.02 a wrong mask or position would hardly show."""
    config = LlamaConfig(
        vocab_size=97,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        bos_token_id=0,
        eos_token_id=1,
    )
    model = LlamaForCausalLM(config)
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.copy_(torch.randn(weight.shape, generator=generator) * 0.2)
    return model


def write_checkpoint(folder: Path) -> None:
    """The text half of the tiny model, as transformers writes it."""
    tiny_llama().save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)


CAPABILITIES = frozenset(Capability)
