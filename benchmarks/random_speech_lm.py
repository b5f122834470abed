"""Speech LLMs of known shapes with random weights, and items for them: what is measured is the work."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    PreTrainedTokenizerFast,
    WhisperConfig,
    WhisperFeatureExtractor,
)
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from speechzoo import AudioClip, ScoreAsk, raw
from speechzoo.audio import Samples
from speechzoo.lm import CausalLM, torch_device, torch_dtype

PROMPT_TOKENS = 12
CLIP_SECONDS = (6.0, 22.0)
CLIP_RATE = 24_000
OPTION_TOKENS = (4, 23)

FRAMES_A_TOKEN = 4
"""Whisper's encoder gives 50 frames a second, so that a second of audio becomes 12.5 tokens."""

MEL_BINS = 128

SHAPES = {
    "small": (
        LlamaConfig(
            vocab_size=32_000,
            hidden_size=512,
            intermediate_size=1408,
            num_hidden_layers=8,
            num_attention_heads=8,
            num_key_value_heads=2,
        ),
        WhisperConfig(
            num_mel_bins=MEL_BINS,
            d_model=256,
            encoder_layers=2,
            encoder_attention_heads=4,
            encoder_ffn_dim=1024,
        ),
    ),
    # Llama 3 8B and the encoder of Whisper large-v3.
    "8b": (
        LlamaConfig(
            vocab_size=128_256,
            hidden_size=4096,
            intermediate_size=14_336,
            num_hidden_layers=32,
            num_attention_heads=32,
            num_key_value_heads=8,
            max_position_embeddings=8192,
            rope_parameters={"rope_type": "default", "rope_theta": 500_000.0},
        ),
        WhisperConfig(
            num_mel_bins=MEL_BINS,
            d_model=1280,
            encoder_layers=32,
            encoder_attention_heads=20,
            encoder_ffn_dim=5120,
        ),
    ),
}


class RandomSpeechLM(CausalLM):
    """Whisper's encoder, a linear projector and Llama, random from a fixed seed, made on the device."""

    max_clip_seconds = 30.0
    extractor = WhisperFeatureExtractor(feature_size=MEL_BINS)

    def __init__(self, shape: str, device: str, dtype: str) -> None:
        llama, whisper = SHAPES[shape]
        kind = torch_dtype(dtype)
        torch.manual_seed(0)
        with torch.device(torch_device(device)):
            model = AutoModelForCausalLM.from_config(llama, dtype=kind)
            self.encoder = WhisperEncoder(whisper).to(kind).train(False)
            self.projector = torch.nn.Linear(whisper.d_model * FRAMES_A_TOKEN, llama.hidden_size, dtype=kind)
        super().__init__(model, tokenizer_of(llama.vocab_size), f"random {shape}")

    def features(self, wave: Samples) -> tuple[torch.Tensor, int]:
        mel = self.extractor(wave, sampling_rate=self.rate, return_tensors="pt").input_features
        return mel, int(len(wave) / self.rate * 50 / FRAMES_A_TOKEN)

    def embed_audio(self, features: Sequence[tuple[torch.Tensor, int]]) -> list[torch.Tensor]:
        mel = torch.cat([mel for mel, _ in features]).to(self.device, self.model.dtype)
        frames = self.encoder(mel).last_hidden_state
        tokens = self.projector(frames.unflatten(1, (-1, FRAMES_A_TOKEN)).flatten(2))
        return [row[:count] for row, (_, count) in zip(tokens, features, strict=True)]


def tokenizer_of(vocabulary: int) -> PreTrainedTokenizerFast:
    """Every word ``w17`` is the token 17; the last id is the beginning token."""
    ids = {f"w{token}": token for token in range(vocabulary - 1)} | {"<s>": vocabulary - 1}
    words = Tokenizer(models.WordLevel(ids, unk_token="<s>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=words, bos_token="<s>")


@dataclass(frozen=True)
class SpokenItem:
    prompt: str
    path: Path
    options: tuple[str, ...]

    def ask(self) -> ScoreAsk:
        """Made anew for every round: a clip remembers what was read of its file."""
        return ScoreAsk(raw(self.prompt, AudioClip.from_file(self.path)), self.options)


def spoken_items(folder: Path, count: int, options: int, vocabulary: int) -> list[SpokenItem]:
    """WAV files of noise that swells and fades as speech does, with random words around them."""
    draws = np.random.default_rng(0)

    def words(number: int) -> str:
        return " ".join(f"w{token}" for token in draws.integers(0, vocabulary - 1, number))

    items = []
    for index in range(count):
        time = np.arange(round(draws.uniform(*CLIP_SECONDS) * CLIP_RATE)) / CLIP_RATE
        loudness = 0.3 * (1 + np.sin(2 * np.pi * draws.uniform(2, 5) * time)) / 2
        path = folder / f"{index}.wav"
        soundfile.write(path, loudness * draws.uniform(-1, 1, len(time)), CLIP_RATE, subtype="PCM_16")
        lengths = draws.integers(OPTION_TOKENS[0], OPTION_TOKENS[1] + 1, options)
        items.append(SpokenItem(words(PROMPT_TOKENS), path, tuple(map(words, lengths))))
    return items
