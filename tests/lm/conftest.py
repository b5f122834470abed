"""A tiny text LLM and a tiny speech LLM, built here: random weights, byte-level tokenizer, no files."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from speechzoo import AudioClip, Failure
from speechzoo.audio import Samples
from speechzoo.lm import CausalLM

CORPUS = ["the cat sat on the mat and the dog ran after it", "a sun, a moon; ten stars!", "0123456789"]
TEMPLATE = (
    "{% for m in messages %}<s>{{ m['role'] }}: {{ m['content'] }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant:{% endif %}"
)


class TinySpeechLM(CausalLM):
    """Every 2000 samples of a clip (125 ms at 16 kHz) become an embedding, or an audio token by their energy.

    It remembers its batches. What it cannot understand is silence.
    """

    max_clip_seconds = 5.0
    clips_at_once = 2

    def __init__(self, *parts: object) -> None:
        super().__init__(*parts)
        self.encoded: list[int] = []
        self.tokenized: list[int] = []

    def features(self, wave: Samples) -> torch.Tensor:
        return torch.from_numpy(wave[: len(wave) // 2000 * 2000].reshape(-1, 2000))

    def embed_audio(self, features: Sequence[torch.Tensor]) -> list[torch.Tensor | Failure]:
        self.encoded.append(len(features))
        hidden = self.model.config.hidden_size
        return [f[:, :hidden] * 3.0 if f.any() or not len(f) else Failure("silent") for f in features]

    def audio_ids(self, waves: Sequence[Samples]) -> list[list[int] | Failure]:
        self.tokenized.append(len(waves))
        return [self._by_energy(self.features(wave)) for wave in waves]

    def _by_energy(self, frames: torch.Tensor) -> list[int] | Failure:
        if len(frames) and not frames.any():
            return Failure("silent")
        return (frames.square().sum(dim=1).int() % 298 + 2).tolist()


def clip_of(pitch: float, seconds: float = 0.5) -> AudioClip:
    """A tone that fades in."""
    time = np.arange(round(seconds * 16_000)) / 16_000
    loudness = np.minimum(0.9, 0.2 + time / 2)
    return AudioClip.from_samples((loudness * np.sin(2 * np.pi * pitch * time)).astype(np.float32), 16_000)


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", chat_template=TEMPLATE
    )


def redrawn(model: torch.nn.Module) -> None:
    """Weights from N(0, 0.2): with the default 0.02 a wrong mask or position would hardly show."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.copy_(torch.randn(weight.shape, generator=generator) * 0.2)


@pytest.fixture(scope="session")
def redraw() -> Callable[[torch.nn.Module], None]:
    return redrawn


def tiny_llama(**changes: object) -> LlamaForCausalLM:
    config = LlamaConfig(
        vocab_size=300,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        bos_token_id=0,
        eos_token_id=1,
        **changes,
    )
    model = LlamaForCausalLM(config)
    redrawn(model)
    return model


@pytest.fixture(scope="session")
def tiny() -> TinySpeechLM:
    torch.set_num_threads(1)
    return TinySpeechLM(tiny_llama(), tiny_tokenizer(), "tiny")


@pytest.fixture(scope="session")
def clip() -> Callable[..., AudioClip]:
    return clip_of
