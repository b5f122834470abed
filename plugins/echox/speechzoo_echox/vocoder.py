"""A unit HiFi-GAN with predicted durations: speech units in, 16 kHz samples out.

J. Kong et al., HiFi-GAN, arXiv:2010.05646; A. Polyak et al., Speech Resynthesis from Discrete
Disentangled Self-Supervised Representations, arXiv:2104.00355.
"""

import math
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from speechzoo.errors import SetupError
from speechzoo_echox.tensors import fill, read_json

_SLOPE = 0.1
_LAST_SLOPE = 0.01
_DURATION_KEYS = {"encoder_embed_dim", "var_pred_hidden_dim", "var_pred_kernel_size", "var_pred_dropout"}
_CONFIG, _WEIGHTS = "vocoder_config.json", "g_00500000"


class Vocoder(nn.Module):
    """One speaker. Attributes are called as the checkpoint's keys are; weight norms are multiplied out.

    Args:
        config: vocoder_config.json as it stands.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        self.rate = int(config["sampling_rate"])
        self.hop = int(config["code_hop_size"])
        self.dict = nn.Embedding(config["num_embeddings"], config["embedding_dim"])
        self.dur_predictor = DurationPredictor(**config["dur_predictor_params"])
        channels = config["upsample_initial_channel"]
        self.conv_pre = nn.Conv1d(config["model_in_dim"], channels, 7, padding=3)
        self.ups = nn.ModuleList()
        self.resblocks = nn.ModuleList()
        for rate, kernel in zip(config["upsample_rates"], config["upsample_kernel_sizes"], strict=True):
            self.ups.append(
                nn.ConvTranspose1d(channels, channels // 2, kernel, rate, padding=(kernel - rate) // 2)
            )
            channels //= 2
            for size, dilations in zip(
                config["resblock_kernel_sizes"], config["resblock_dilation_sizes"], strict=True
            ):
                self.resblocks.append(ResidualBlock(channels, size, dilations))
        self.conv_post = nn.Conv1d(channels, 1, 7, padding=3)

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> "Vocoder":
        """In float32 on every device.

        Raises:
            SetupError: its two files are missing, damaged, or of another kind of vocoder.
        """
        config = read_json(folder / _CONFIG)
        _check(config, folder / _CONFIG)
        with torch.device("meta"):
            vocoder = cls(config)
        tensors = {name: tensor.to(device) for name, tensor in _weights(folder / _WEIGHTS).items()}
        fill(vocoder, tensors, f"the vocoder in {folder / _WEIGHTS}")
        return vocoder

    @property
    def units(self) -> int:
        """How many units it knows: 0 to ``units`` - 1."""
        return int(self.dict.num_embeddings)

    @torch.inference_mode()
    def forward(self, units: Sequence[int], durations: bool = True) -> Tensor:
        """Samples in [-1, 1], [320 * frames], of units, each [0, units); negative ones are left out.

        Args:
            units: in their order.
            durations: a unit lasts as many frames of 20 ms as predicted; otherwise one.
        """
        codes = torch.tensor([unit for unit in units if unit >= 0], device=self.dict.weight.device)
        embedded = self.dict(codes)
        if durations:
            embedded = embedded.repeat_interleave(self.dur_predictor.frames(embedded), dim=0)
        return self.samples(embedded.T[None])[0, 0]

    def samples(self, frames: Tensor) -> Tensor:
        """[1, 1, hop * frames] of frames, [1, channels, frames]."""
        sound = self.conv_pre(frames)
        blocks = len(self.resblocks) // len(self.ups)
        for stage, up in enumerate(self.ups):
            sound = up(leaky_relu(sound, _SLOPE))
            own = self.resblocks[stage * blocks : (stage + 1) * blocks]
            sound = torch.stack([block(sound) for block in own]).mean(dim=0)
        return torch.tanh(self.conv_post(leaky_relu(sound, _LAST_SLOPE)))


class ResidualBlock(nn.Module):
    """Pairs of convolutions, the first of each dilated."""

    def __init__(self, channels: int, kernel: int, dilations: Sequence[int]) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList(
            nn.Conv1d(channels, channels, kernel, dilation=d, padding=(kernel - 1) * d // 2)
            for d in dilations
        )
        self.convs2 = nn.ModuleList(
            nn.Conv1d(channels, channels, kernel, padding=(kernel - 1) // 2) for _ in dilations
        )

    def forward(self, sound: Tensor) -> Tensor:
        for dilated, plain in zip(self.convs1, self.convs2, strict=True):
            sound = sound + plain(leaky_relu(dilated(leaky_relu(sound, _SLOPE)), _SLOPE))
        return sound


class DurationPredictor(nn.Module):
    """How long each unit lasts. The arguments are those of vocoder_config.json; dropout is for training."""

    def __init__(
        self,
        encoder_embed_dim: int,
        var_pred_hidden_dim: int,
        var_pred_kernel_size: int,
        var_pred_dropout: float,
    ) -> None:
        super().__init__()
        padding = (var_pred_kernel_size - 1) // 2
        first = nn.Conv1d(encoder_embed_dim, var_pred_hidden_dim, var_pred_kernel_size, padding=padding)
        # One, whatever the kernel: so it was trained.
        second = nn.Conv1d(var_pred_hidden_dim, var_pred_hidden_dim, var_pred_kernel_size, padding=1)
        self.conv1 = nn.Sequential(first, nn.ReLU())
        self.conv2 = nn.Sequential(second, nn.ReLU())
        self.ln1 = nn.LayerNorm(var_pred_hidden_dim)
        self.ln2 = nn.LayerNorm(var_pred_hidden_dim)
        self.proj = nn.Linear(var_pred_hidden_dim, 1)

    def forward(self, embedded: Tensor) -> Tensor:
        """Logarithms of frames plus one, [n], of embedded units, [n, channels]."""
        states = self.ln1(self.conv1(embedded.T[None]).mT)
        states = self.ln2(self.conv2(states.mT).mT)
        logs: Tensor = self.proj(states)[0, :, 0]
        return logs

    def frames(self, embedded: Tensor) -> Tensor:
        """Whole frames, [n], at least one each."""
        return torch.round(torch.exp(self(embedded)) - 1).long().clamp(min=1)


def _check(config: dict[str, Any], path: Path) -> None:
    needed = ["sampling_rate", "code_hop_size", "num_embeddings", "embedding_dim", "model_in_dim"]
    needed += ["dur_predictor_params", "upsample_initial_channel", "upsample_rates", "upsample_kernel_sizes"]
    needed += ["resblock_kernel_sizes", "resblock_dilation_sizes"]
    if absent := [key for key in needed if key not in config]:
        raise SetupError(
            f"{path} lacks {', '.join(absent)}: EchoX speaks with a unit HiFi-GAN with durations"
        )
    if set(config["dur_predictor_params"]) != _DURATION_KEYS:
        raise SetupError(f"{path}: dur_predictor_params are not {', '.join(sorted(_DURATION_KEYS))}")
    if str(config.get("resblock", "1")) != "1" or config.get("f0") or config.get("multispkr"):
        raise SetupError(f"{path} is of another kind: resblock 1, one speaker and no f0 are expected")
    if config["embedding_dim"] != config["model_in_dim"]:
        raise SetupError(f"{path}: embedding_dim and model_in_dim differ, units are not all it is given")
    product = math.prod(config["upsample_rates"])
    if product != config["code_hop_size"]:
        raise SetupError(
            f"{path}: upsample_rates make {product} samples of a frame, "
            f"code_hop_size is {config['code_hop_size']}"
        )


def _weights(path: Path) -> dict[str, Tensor]:
    """The generator's tensors in float32, weight norms multiplied out."""
    if not path.is_file():
        raise SetupError(f"{path} is missing; fetch the checkpoint again, or copy all of its files")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise SetupError(f"{path} is no checkpoint of tensors alone, or is damaged: {error}") from error
    if not isinstance(content, dict) or "generator" not in content:
        raise SetupError(f"{path} has no entry 'generator': it is no HiFi-GAN checkpoint")
    stored = {name: tensor.float() for name, tensor in content["generator"].items()}
    return {
        name.removesuffix("_g") if name.endswith("weight_g") else name: _multiplied(name, stored)
        for name in stored
        if not name.endswith("weight_v")
    }


def _multiplied(name: str, stored: dict[str, Tensor]) -> Tensor:
    """T. Salimans and D. Kingma, Weight Normalization, arXiv:1602.07868, equation 2."""
    direction = stored.get(name.removesuffix("_g") + "_v")
    if not name.endswith("weight_g") or direction is None:
        return stored[name]
    weight: Tensor = direction * (stored[name] / direction.norm(dim=(1, 2), keepdim=True))
    return weight
