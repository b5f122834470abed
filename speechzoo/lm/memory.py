"""Whether a model's weights fit, told before any of them is read.

The size of the weights is the sum over all tensors in the headers of the safetensors files: elements times
bytes of the dtype that is asked for. What is no float of 16 bits or more (packed or 8-bit weights of a
quantised checkpoint, indices) counts as stored. Activations and caches come on top: `speechzoo.lm.batches`
finds out what they may take.
"""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import torch

from speechzoo.errors import SetupError
from speechzoo.lm.device import torch_device, torch_dtype
from speechzoo.setup import Setup

_SCALED = {"F64", "F32", "F16", "BF16"}
_LENGTH_BYTES = 8
_HEADER_AT_MOST = 100_000_000


@dataclass(frozen=True)
class Memory:
    """Of one device, or of several together, in bytes."""

    where: str
    free: int
    total: int


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files that transformers would load from a checkpoint; none if it has other weights."""
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        names = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
        return [folder / name for name in sorted(set(names))]
    single = folder / "model.safetensors"
    return [single] if single.is_file() else []


def weight_bytes(files: Iterable[Path], dtype: torch.dtype) -> int:
    """Bytes that the tensors of safetensors files take in this dtype, from the files' headers alone.

    Raises:
        SetupError: a file is missing, or its header is not one of safetensors.
    """
    return sum(
        math.prod(tensor["shape"]) * dtype.itemsize
        if tensor["dtype"] in _SCALED
        else tensor["data_offsets"][1] - tensor["data_offsets"][0]
        for file in files
        for name, tensor in _header(file).items()
        if name != "__metadata__"
    )


def _header(file: Path) -> dict[str, Any]:
    """Name to dtype, shape and offsets: JSON behind its length, 8 bytes, little-endian.

    Source: the safetensors format, https://huggingface.co/docs/safetensors.
    """
    try:
        with file.open("rb") as opened:
            length = int.from_bytes(opened.read(_LENGTH_BYTES), "little")
            if length > _HEADER_AT_MOST:
                raise ValueError(f"a header of {length} bytes")
            header: dict[str, Any] = json.loads(opened.read(length))
            return header
    except OSError as error:
        raise SetupError(f"{file} cannot be read: {error.strerror}; fetch or copy it again") from error
    except ValueError as error:
        raise SetupError(f"{file} is no safetensors file, or cut: {error}; fetch or copy it again") from error


def free_memory(device: torch.device) -> Memory:
    """What a card, or for the CPU the machine, has free; what a container may use of it is not known."""
    if device.type == "cpu":
        machine = psutil.virtual_memory()
        return Memory("this machine", machine.available, machine.total)
    free, total = torch.cuda.mem_get_info(device)
    # Torch keeps what it has freed: for others it is taken, for us it is there.
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return Memory(str(device), free + kept, total)


def all_cards() -> Memory:
    """What all cards have free together."""
    cards = [free_memory(torch.device("cuda", index)) for index in range(torch.cuda.device_count())]
    free, total = (sum(values) for values in zip(*((card.free, card.total) for card in cards), strict=True))
    return Memory(f"all {len(cards)} cards together", free, total)


def require_memory(setup: Setup, files: Sequence[Path], may_spread: bool = True) -> None:
    """Refuses a model whose weights are larger than the memory they have to go to.

    With a device map that is the memory of all cards: what accelerate would leave on the machine or its
    disk would be moved to a card for every token.

    Args:
        setup: says where, and in what dtype.
        files: safetensors files with all of its weights.
        may_spread: its adapter takes a device map.

    Raises:
        SetupError: the weights do not fit; the message says by how much, and what would help.
    """
    device, dtype = torch_device(setup.device), torch_dtype(setup.dtype)
    needed = weight_bytes(files, dtype)
    there = all_cards() if setup.device_map else free_memory(device)
    if needed <= there.free:
        return
    told = (
        f"{setup.name} needs about {_gb(needed)} for its weights in {setup.dtype}, "
        f"{there.where} has {_gb(there.free)} free of {_gb(there.total)}"
    )
    spread = _room_if_spread(setup) if may_spread else 0
    ways = _ways_out(needed, weight_bytes(files, torch.bfloat16), there.free, spread)
    raise SetupError(f"{told}: try {' or '.join(ways)}" if ways else told)


def _room_if_spread(setup: Setup) -> int:
    """What a device map would gain; 0 where there is one, or nothing to spread over."""
    able = setup.device != "cpu" and not setup.device_map and torch.cuda.device_count() > 1
    return all_cards().free if able else 0


def _ways_out(needed: int, needed_in_16_bits: int, free: int, spread: int) -> list[str]:
    """Options that each would make room; where none does alone, both together if they do."""
    ways = {
        "--dtype bfloat16": needed_in_16_bits < needed and needed_in_16_bits <= free,
        "--device-map auto": needed <= spread,
    }
    if not any(ways.values()):
        ways = {"--dtype bfloat16 with --device-map auto": needed_in_16_bits <= spread}
    return [way for way, helps in ways.items() if helps]


def _gb(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
