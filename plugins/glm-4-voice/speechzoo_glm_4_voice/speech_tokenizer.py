"""From a clip to its audio tokens, 12.5 a second: the lower half of a Whisper encoder and a codebook.

Source: ``speech_tokenizer/modeling_whisper.py`` and ``utils.py`` of github.com/THUDM/GLM-4-Voice, section 2.1
of arXiv:2412.02612. Only what the published checkpoint uses is here.
"""

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import WhisperConfig, WhisperFeatureExtractor
from transformers.models.whisper.modeling_whisper import WhisperEncoderLayer

from speechzoo import SetupError
from speechzoo.audio import Samples

SEGMENT_SECONDS = 30
_EXPECTED = {
    "encoder_causal_convolution": True,
    "encoder_causal_attention": False,
    "quantize_causal_encoder": False,
    "pooling_type": "avg",
}
_NEEDED = ("quantize_position", "pooling_position", "pooling_kernel_size", "quantize_vocab_size")


class SpeechTokenizer(nn.Module):
    """Computes in float32, whatever the LLM does: its tokens decide what the LLM hears.

    Args:
        config: Whisper's, with the authors' own settings beside.
        extractor: of log-mel bands.
    """

    def __init__(self, config: WhisperConfig, extractor: WhisperFeatureExtractor) -> None:
        super().__init__()
        self.extractor = extractor
        self.block = config.quantize_causal_block_size
        self.pool = config.pooling_kernel_size
        width, places = config.d_model, config.max_source_positions
        # Causal: the padding is on the left alone, see `_heard`.
        self.conv1 = nn.Conv1d(config.num_mel_bins, width, 3)
        self.conv2 = nn.Conv1d(width, width, 3, stride=2)
        self.embed_positions = nn.Embedding(places, width)
        self.layers = nn.ModuleList(WhisperEncoderLayer(config) for _ in range(config.quantize_position))
        self.codebook = nn.Embedding(config.quantize_vocab_size, width)

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> "SpeechTokenizer":
        """From the files of ``glm-4-voice-tokenizer``.

        Raises:
            SetupError: they are not there, not whole, or of another architecture.
        """
        if not (folder / "config.json").is_file():
            raise SetupError(f"GLM-4-Voice hears with glm-4-voice-tokenizer: put its files into {folder}")
        config = WhisperConfig.from_pretrained(folder, local_files_only=True)
        _check(config, folder)
        config._attn_implementation = "sdpa"
        extractor = WhisperFeatureExtractor.from_pretrained(folder, local_files_only=True)
        with torch.device("meta"):
            made = cls(config, extractor)
        made.load_state_dict(_weights(made, folder), assign=True)
        return made.to(device, torch.float32).train(False)

    def features(self, wave: Samples) -> list[Tensor]:
        """Log-mel bands and below them which frames are real, [bands + 1, frames], of each 30 s of a clip.

        Frames are padded to whole tokens, as the authors do.

        Args:
            wave: mono samples, [n] at 16 kHz.
        """
        size = SEGMENT_SECONDS * self.extractor.sampling_rate
        return [self._log_mel(wave[start : start + size]) for start in range(0, len(wave), size)]

    @torch.inference_mode()
    def forward(self, segments: list[Tensor]) -> list[int]:
        """Codes of a clip's segments, as of `features`, one after the other.

        Side by side with others, rounding would differ, and with it, here and there, a code.
        """
        table = self.codebook.weight
        states = torch.cat([self.states(one.to(table.device)) for one in segments])
        # The nearest, by squares; |x|² is the same for all codes.
        codes: list[int] = (table.square().sum(1) - 2 * states @ table.T).argmin(1).tolist()
        return codes

    def _log_mel(self, segment: Samples) -> Tensor:
        stride = self.conv2.stride[0] * self.pool * self.extractor.hop_length
        made = self.extractor(
            segment,
            sampling_rate=self.extractor.sampling_rate,
            return_attention_mask=True,
            return_tensors="pt",
            padding="longest",
            pad_to_multiple_of=stride,
        )
        bands: Tensor = torch.cat([made.input_features[0], made.attention_mask.float()])
        return bands

    @torch.inference_mode()
    def states(self, bands: Tensor) -> Tensor:
        """What is quantized of one segment, [tokens, width]."""
        states, real = self._heard(bands[None, :-1]), bands[-1].bool()[:: self.conv2.stride[0]]
        states = states + self.embed_positions.weight[: states.shape[1]]
        mask = _block_causal(real, self.block)
        for layer in self.layers:
            states = layer(states, mask)
        pooled = nn.functional.avg_pool1d(states.transpose(1, 2), self.pool)[0].T
        return pooled[real[:: self.pool]]

    def _heard(self, bands: Tensor) -> Tensor:
        for convolution in (self.conv1, self.conv2):
            bands = nn.functional.gelu(convolution(nn.functional.pad(bands, (2, 0))))
        return bands.transpose(1, 2)


def _block_causal(real: Tensor, block: int) -> Tensor:
    """What each frame attends to, [1, 1, frames, frames]: all real ones before it and in its block."""
    blocks = torch.arange(len(real), device=real.device) // block
    return (blocks[None, :] <= blocks[:, None])[None, None] & real


def _check(config: WhisperConfig, folder: Path) -> None:
    other = [
        f"{name} is {getattr(config, name)}"
        for name, value in _EXPECTED.items()
        if getattr(config, name, value) != value
    ]
    lacking = [
        f"{name} is missing"
        for name in (*_NEEDED, "quantize_causal_block_size")
        if not getattr(config, name, None)
    ]
    if not lacking and config.pooling_position != config.quantize_position:
        other.append("pooling and quantisation are at different layers")
    if other or lacking:
        raise SetupError(
            f"config.json in {folder} is not glm-4-voice-tokenizer's: {'; '.join(other + lacking)}"
        )


def _weights(module: nn.Module, folder: Path) -> dict[str, Tensor]:
    """By the module's names: the encoder alone, or as a part of a whole Whisper."""
    found: dict[str, Tensor] = {}
    for file in sorted(folder.glob("*.safetensors")):
        found |= {name.removeprefix("model.encoder."): tensor for name, tensor in load_file(file).items()}
    wanted = module.state_dict()
    if wrong := [name for name, one in wanted.items() if name not in found or found[name].shape != one.shape]:
        raise SetupError(f"{folder}: {len(wrong)} tensors are missing or of another size, such as {wrong[0]}")
    return {name: found[name] for name in wanted}
