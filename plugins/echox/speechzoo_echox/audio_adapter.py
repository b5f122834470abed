"""From a clip to the vectors that stand for it in the prompt: Whisper's encoder, then EchoX's adapter."""

from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import WhisperConfig, WhisperFeatureExtractor
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from speechzoo.audio import Samples
from speechzoo.errors import SetupError
from speechzoo_echox.checkpoint import AUDIO_KEYS, Checkpoint
from speechzoo_echox.tensors import TensorFiles, fill

# The width that Whisper's large models share, although only the third has these bands.
_LARGE_WIDTH, _LARGE_V3_BANDS = 1280, 128


class AudioAdapter(nn.Module):
    """Frames of Whisper to vectors of the LLM; one vector for each run of equal CTC labels.

    Attributes are called as the checkpoint's keys are.

    Args:
        width: of Whisper's frames.
        hidden: of the LLM.
        heads: of the LLM.
        vocabulary: CTC labels.
    """

    def __init__(self, width: int, hidden: int, heads: int, vocabulary: int) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(hidden, heads, 2 * hidden, batch_first=True, norm_first=True)
        self.mm_projector1 = nn.Linear(2 * width, hidden)
        self.asr_transformer_encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.out_norm = nn.LayerNorm(hidden)
        self.audio_feature_head = nn.Linear(hidden, vocabulary, bias=False)
        self.lbm = LookBack(hidden, heads)

    def forward(self, encoded: Tensor) -> Tensor:
        """One clip: frames, [1500, width] at 50 Hz, to kept vectors, [v, hidden], 1 <= v <= 750."""
        frames = self.adapted(encoded)
        vectors: Tensor = self.lbm(frames[first_of_runs(self.labels(frames))])
        return vectors

    def adapted(self, encoded: Tensor) -> Tensor:
        """All frames at 25 Hz, [750, hidden], each of two of Whisper's, [1500, width]."""
        projected = self.mm_projector1(encoded.reshape(len(encoded) // 2, -1))
        # Trained with the axes of time and batch confused: every frame is a sequence of its own.
        frames: Tensor = self.out_norm(self.asr_transformer_encoder(projected[:, None]))
        return frames[:, 0]

    def labels(self, frames: Tensor) -> Tensor:
        """CTC labels, [750], the likeliest of each frame."""
        logits: Tensor = self.audio_feature_head(frames)
        return logits.argmax(-1)


class LookBack(nn.Module):
    """Attention of the kept frames among themselves; those dropped were masked in training, too."""

    def __init__(self, hidden: int, heads: int) -> None:
        super().__init__()
        self.encoder_attn = nn.MultiheadAttention(hidden, heads, batch_first=True)
        self.atten_layer_norm = nn.LayerNorm(hidden)

    def forward(self, kept: Tensor) -> Tensor:
        """[v, hidden] to [v, hidden]."""
        attended, _ = self.encoder_attn(kept, kept, kept, need_weights=False)
        normed: Tensor = self.atten_layer_norm(attended + kept)
        return normed


def first_of_runs(labels: Tensor) -> Tensor:
    """Which frames, [n] booleans, differ in label from the frame before; the first does."""
    first = torch.ones_like(labels, dtype=torch.bool)
    first[1:] = labels[1:] != labels[:-1]
    return first


class SpeechEncoder:
    """Whisper's encoder and the adapter after it.

    Args:
        checkpoint: of EchoX.
        whisper: folder of Whisper.
        dtype: computed in.
        device: computed on.

    Raises:
        SetupError: Whisper is not there or another than the checkpoint was trained with.
    """

    def __init__(
        self, checkpoint: Checkpoint, whisper: Path, dtype: torch.dtype, device: torch.device
    ) -> None:
        self.encoder, self.extractor = _whisper(
            whisper, int(checkpoint.config["adapter_size"]), dtype, device
        )
        llama = checkpoint.llama
        with torch.device("meta"):
            self.adapter = AudioAdapter(
                int(checkpoint.config["adapter_size"]),
                llama.hidden_size,
                llama.num_attention_heads,
                checkpoint.vocabulary,
            )
        tensors = {
            prefix.removeprefix("model.") + name: tensor
            for prefix in AUDIO_KEYS
            for name, tensor in checkpoint.tensors.part(prefix, dtype, device).items()
        }
        fill(self.adapter, tensors, f"the audio adapter in {checkpoint.folder}")

    def log_mel(self, wave: Samples) -> Tensor:
        """Log-mel bands, [bands, 3000] in float32, of mono samples, [n] at 16 kHz, padded to 30 s."""
        made = self.extractor(wave, sampling_rate=self.extractor.sampling_rate, return_tensors="pt")
        bands: Tensor = made.input_features[0]
        return bands

    def encode(self, log_mel: Tensor) -> Tensor:
        """Whisper's frames, [1500, width], of log-mel bands, [bands, 3000]."""
        given = log_mel[None].to(self.encoder.device, self.encoder.dtype)
        states: Tensor = self.encoder(given).last_hidden_state[0]
        return states

    def __call__(self, log_mel: Tensor) -> Tensor:
        """The clip's vectors in the LLM's prompt, [v, hidden], of log-mel bands, [bands, 3000]."""
        vectors: Tensor = self.adapter(self.encode(log_mel))
        return vectors


def _whisper(
    folder: Path, width: int, dtype: torch.dtype, device: torch.device
) -> tuple[WhisperEncoder, WhisperFeatureExtractor]:
    if not (folder / "config.json").is_file():
        raise SetupError(
            f"Whisper is not in {folder}. EchoX hears with openai/whisper-large-v3: put its files there, "
            "or name their folder with --set whisper=FOLDER"
        )
    config = WhisperConfig.from_pretrained(folder, local_files_only=True)
    extractor = WhisperFeatureExtractor.from_pretrained(folder, local_files_only=True)
    if config.d_model != width:
        raise SetupError(
            f"the encoder in {folder} is {config.d_model} wide, EchoX was trained with one of {width} "
            "(adapter_size in config.json)"
        )
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
    with torch.device("meta"):
        encoder = WhisperEncoder(config)
    tensors = TensorFiles(folder).part("model.encoder.", dtype, device)
    fill(encoder, tensors, f"Whisper's encoder in {folder}")
    return encoder, extractor
