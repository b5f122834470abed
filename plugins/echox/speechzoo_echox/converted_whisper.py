"""Whisper tiny's encoder as transformers reads it, from the file of CTranslate2 that the wheel holds."""

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import WhisperConfig, WhisperFeatureExtractor
from transformers.models.whisper.modeling_whisper import WhisperEncoder

WEIGHTS = "model.safetensors"

_PREFIX = "model.encoder."
# CTranslate2's numbers of data types: python/ctranslate2/specs/model_spec.py
_DTYPES = {0: np.float32, 3: np.int32, 4: np.float16, 1: np.int8, 2: np.int16}
_HEADS = 6


def convert(binary: Path, folder: Path) -> None:
    """Writes config.json, preprocessor_config.json and model.safetensors, once.

    Args:
        binary: ``model.bin`` of Whisper in CTranslate2's layout, in float32 or float16.
        folder: made; the tensors are those of the encoder alone, in float32.

    Raises:
        RuntimeError: tensors are missing or of other shapes than Whisper's encoder has.
    """
    if (folder / WEIGHTS).is_file():
        return
    stored = dict(variables(binary))
    tensors = encoder_tensors(stored)
    layers = len({name.split(".")[1] for name in tensors if name.startswith("layers.")})
    width, bands, _ = tensors["conv1.weight"].shape
    config = WhisperConfig(
        d_model=width,
        encoder_layers=layers,
        encoder_attention_heads=_HEADS,
        encoder_ffn_dim=len(tensors["layers.0.fc1.weight"]),
        num_mel_bins=bands,
    )
    # What does not fit raises here, not in a training.
    WhisperEncoder(config).load_state_dict(tensors)
    folder.mkdir(parents=True, exist_ok=True)
    config.save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=bands).save_pretrained(folder)  # type: ignore[no-untyped-call]
    write(folder, tensors)


def write(folder: Path, tensors: Mapping[str, Tensor]) -> None:
    """An encoder's tensors, by transformers' names, as its ``model.safetensors``."""
    named = {f"{_PREFIX}{name}": tensor.cpu().contiguous() for name, tensor in tensors.items()}
    path = folder / WEIGHTS
    # It may be a link to a file that others share.
    path.unlink(missing_ok=True)
    save_file(named, path, metadata={"format": "pt"})


def read(folder: Path) -> dict[str, Tensor]:
    """What `write` wrote."""
    return {name.removeprefix(_PREFIX): own for name, own in load_file(folder / WEIGHTS).items()}


def variables(binary: Path) -> Iterator[tuple[str, Tensor]]:
    """Names and tensors of a ``model.bin`` of version 6: all little endian, lengths before contents."""
    with binary.open("rb") as file:
        _number(file, "I")
        _name(file)
        _number(file, "I")
        for _ in range(_number(file, "I")):
            name = _name(file)
            shape = [_number(file, "I") for _ in range(_number(file, "B"))]
            dtype = np.dtype(_DTYPES[_number(file, "B")])
            values = np.frombuffer(file.read(_number(file, "I")), dtype).reshape(shape)
            yield name, torch.from_numpy(values.copy())


def encoder_tensors(stored: dict[str, Tensor]) -> dict[str, Tensor]:
    """By the names of transformers; queries, keys and values are one matrix in CTranslate2's file."""
    made = {"embed_positions.weight": stored["encoder/position_encodings/encodings"]}
    for ours, theirs in (("conv1", "conv1"), ("conv2", "conv2"), ("layer_norm", "layer_norm")):
        made |= _pair(stored, f"encoder/{theirs}", ours)
    layers = len(
        {name.split("/")[1] for name in stored if name.startswith("encoder/layer_")} - {"layer_norm"}
    )
    for layer in range(layers):
        there, here = f"encoder/layer_{layer}", f"layers.{layer}"
        made |= _pair(stored, f"{there}/self_attention/layer_norm", f"{here}.self_attn_layer_norm")
        weights = stored[f"{there}/self_attention/linear_0/weight"].chunk(3)
        biases = stored[f"{there}/self_attention/linear_0/bias"].chunk(3)
        for name, weight, bias in zip(("q_proj", "k_proj", "v_proj"), weights, biases, strict=True):
            made[f"{here}.self_attn.{name}.weight"] = weight
            # A bias of the keys changes no attention, and transformers has none.
            if name != "k_proj":
                made[f"{here}.self_attn.{name}.bias"] = bias
        made |= _pair(stored, f"{there}/self_attention/linear_1", f"{here}.self_attn.out_proj")
        made |= _pair(stored, f"{there}/ffn/layer_norm", f"{here}.final_layer_norm")
        made |= _pair(stored, f"{there}/ffn/linear_0", f"{here}.fc1")
        made |= _pair(stored, f"{there}/ffn/linear_1", f"{here}.fc2")
    return {name: tensor.float() for name, tensor in made.items()}


def _pair(stored: dict[str, Tensor], theirs: str, ours: str) -> dict[str, Tensor]:
    """A weight and its bias; norms have gamma and beta there."""
    first, second = ("gamma", "beta") if f"{theirs}/gamma" in stored else ("weight", "bias")
    return {f"{ours}.weight": stored[f"{theirs}/{first}"], f"{ours}.bias": stored[f"{theirs}/{second}"]}


def _name(file: BinaryIO) -> str:
    return file.read(_number(file, "H")).decode().rstrip("\0")


def _number(file: BinaryIO, kind: str) -> int:
    (number,) = struct.unpack(f"<{kind}", file.read(struct.calcsize(f"<{kind}")))
    return int(number)
