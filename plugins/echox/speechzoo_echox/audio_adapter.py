"""From a clip to the vectors that stand for it in the prompt: Whisper's encoder, then EchoX's adapter."""

import torch
from torch import Tensor, nn

from speechzoo.audio import Samples
from speechzoo.errors import SetupError
from speechzoo_echox.checkpoint import AUDIO_KEYS, Checkpoint
from speechzoo_echox.tensors import fill
from speechzoo_echox.whisper import Whisper


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
        whisper: its ears.
        dtype: computed in.
        device: computed on.

    Raises:
        SetupError: Whisper is another than the checkpoint was trained with, or tensors do not fit.
    """

    def __init__(
        self, checkpoint: Checkpoint, whisper: Whisper, dtype: torch.dtype, device: torch.device
    ) -> None:
        width = int(checkpoint.config["adapter_size"])
        if whisper.width != width:
            raise SetupError(
                f"the encoder in {whisper.folder} is {whisper.width} wide, EchoX was trained with one of "
                f"{width} (adapter_size in config.json)"
            )
        self.whisper = whisper
        llama = checkpoint.llama
        with torch.device("meta"):
            self.adapter = AudioAdapter(
                width, llama.hidden_size, llama.num_attention_heads, checkpoint.vocabulary
            )
        tensors = {
            prefix.removeprefix("model.") + name: tensor
            for prefix in AUDIO_KEYS
            for name, tensor in checkpoint.tensors.part(prefix, dtype, device).items()
        }
        fill(self.adapter, tensors, f"the audio adapter in {checkpoint.folder}")

    def log_mel(self, wave: Samples) -> Tensor:
        """See `Whisper.log_mel`."""
        return self.whisper.log_mel(wave)

    def __call__(self, log_mel: Tensor) -> Tensor:
        """The clip's vectors in the LLM's prompt, [v, hidden], of log-mel bands, [bands, 3000]."""
        vectors: Tensor = self.adapter(self.whisper.encode(log_mel))
        return vectors
