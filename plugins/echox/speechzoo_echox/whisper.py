"""Whisper's encoder, EchoX's ears: a checkpoint of its own, as EchoX's files do not hold it."""

from pathlib import Path

import torch
from torch import Tensor
from transformers import WhisperConfig, WhisperFeatureExtractor
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from speechzoo import Setup, lm
from speechzoo.audio import Samples
from speechzoo.errors import SetupError
from speechzoo.lm.attention import require_attention
from speechzoo_echox.tensors import TensorFiles, fill

# The width that Whisper's large models share, although only the third has these bands.
_LARGE_WIDTH, _LARGE_V3_BANDS = 1280, 128


class Whisper:
    """From a clip to frames. It is asked for nothing by itself: EchoX has it as its part ``whisper``.

    Args:
        setup: its folder is a checkpoint of Whisper in transformers' layout; only the encoder is read.

    Raises:
        SetupError: the files are not there, do not fit each other, or are of another large model; the device
            or the attention backend is not there.
    """

    def __init__(self, setup: Setup) -> None:
        device, dtype = lm.torch_device(setup.device), lm.torch_dtype(setup.dtype)
        self.folder = setup.files()
        config, self.extractor = _described(self.folder, setup.attention)
        require_attention(setup, WhisperEncoder, config)
        with torch.device("meta"):
            self.encoder = WhisperEncoder(config)
        tensors = TensorFiles(self.folder).part("model.encoder.", dtype, device)
        fill(self.encoder, tensors, f"Whisper's encoder in {self.folder}")

    @property
    def width(self) -> int:
        """Of a frame."""
        return int(self.encoder.config.d_model)

    def log_mel(self, wave: Samples) -> Tensor:
        """Log-mel bands, [bands, 3000] in float32, of mono samples, [n] at 16 kHz, padded to 30 s."""
        made = self.extractor(wave, sampling_rate=self.extractor.sampling_rate, return_tensors="pt")
        bands: Tensor = made.input_features[0]
        return bands

    def encode(self, log_mel: Tensor) -> Tensor:
        """Frames at 50 Hz, [1500, width], of log-mel bands, [bands, 3000]."""
        given = log_mel[None].to(self.encoder.device, self.encoder.dtype)
        states: Tensor = self.encoder(given).last_hidden_state[0]
        return states

    def close(self) -> None:
        del self.encoder


def _described(folder: Path, attention: str) -> tuple[WhisperConfig, WhisperFeatureExtractor]:
    if not (folder / "config.json").is_file():
        raise SetupError(
            f"Whisper is not in {folder}. EchoX hears with openai/whisper-large-v3: put its files there, "
            "or name their folder with --set whisper=whisper-encoder@FOLDER"
        )
    config = WhisperConfig.from_pretrained(
        folder, local_files_only=True, attn_implementation=attention or None
    )
    extractor = WhisperFeatureExtractor.from_pretrained(folder, local_files_only=True)
    if config.d_model == _LARGE_WIDTH and config.num_mel_bins != _LARGE_V3_BANDS:
        raise SetupError(
            f"{folder} has {config.num_mel_bins} mel bands: it is not whisper-large-v3, which has "
            f"{_LARGE_V3_BANDS}"
        )
    if extractor.feature_size != config.num_mel_bins:
        raise SetupError(
            f"preprocessor_config.json in {folder} makes {extractor.feature_size} mel bands, "
            f"config.json wants {config.num_mel_bins}"
        )
    return config, extractor
