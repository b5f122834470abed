"""Safetensors files of a folder, read part by part, and modules made of them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from speechzoo.errors import SetupError

_SINGLE = "model.safetensors"
_INDEX = "model.safetensors.index.json"


class TensorFiles:
    """The tensors of ``model.safetensors``, or of the shards that ``model.safetensors.index.json`` names.

    Attributes:
        shapes: of all tensors by name; the tensors themselves are not read yet.

    Raises:
        SetupError: there are none, a shard is missing or damaged, or holds less than the index says.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shapes: dict[str, tuple[int, ...]] = {}
        self._files: dict[str, Path] = {}
        index = folder / _INDEX
        promised = json.loads(index.read_text(encoding="utf-8"))["weight_map"] if index.is_file() else {}
        for path in sorted({folder / file for file in promised.values()} or {folder / _SINGLE}):
            self._enter(path)
        if absent := sorted(set(promised) - set(self.shapes)):
            raise SetupError(f"{index} promises tensors that its shards lack: {_some(absent)}")

    def part(self, prefix: str, dtype: torch.dtype, device: torch.device) -> dict[str, Tensor]:
        """The tensors whose names start so, by the rest of their names."""
        names = [name for name in self.shapes if name.startswith(prefix)]
        return {name.removeprefix(prefix): self._read(name).to(device, dtype) for name in names}

    def _read(self, name: str) -> Tensor:
        with safe_open(self._files[name], framework="pt") as file:
            tensor: Tensor = file.get_tensor(name)
        return tensor

    def _enter(self, path: Path) -> None:
        if not path.is_file():
            raise SetupError(f"{path} is missing; fetch the checkpoint again, or copy all of its files")
        try:
            with safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118 - it is no mapping
                    self.shapes[name] = tuple(file.get_slice(name).get_shape())
                    self._files[name] = path
        except SafetensorError as error:
            raise SetupError(f"{path} is no whole safetensors file: {error}") from error


def fill(module: nn.Module, tensors: Mapping[str, Tensor], whose: str) -> None:
    """Puts tensors in the place of a module's own, which may be on the meta device, and freezes it.

    Raises:
        SetupError: tensors are missing, left over or of another shape; ``whose`` tells where.
    """
    wanted = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    told = []
    if missing := sorted(set(wanted) - set(found)):
        told.append(f"missing {_some(missing)}")
    if unknown := sorted(set(found) - set(wanted)):
        told.append(f"unknown {_some(unknown)}")
    for name in sorted(set(wanted) & set(found)):
        if wanted[name] != found[name]:
            told.append(f"{name} is {list(found[name])}, expected {list(wanted[name])}")
    if told:
        raise SetupError(f"the tensors of {whose} do not fit: {_some(told, '; ')}")
    module.load_state_dict(dict(tensors), assign=True)
    module.requires_grad_(False)
    module.train(False)


def read_json(path: Path) -> dict[str, Any]:
    """An object of a JSON file.

    Raises:
        SetupError: it is not there or none.
    """
    if not path.is_file():
        raise SetupError(f"{path} is missing; fetch the checkpoint again, or copy all of its files")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SetupError(f"{path} is no JSON: {error}") from error
    if not isinstance(content, dict):
        raise SetupError(f"{path} holds no object")
    return content


def _some(names: list[str], comma: str = ", ") -> str:
    more = f"{comma}and {len(names) - 5} more" if len(names) > 5 else ""
    return comma.join(names[:5]) + more
