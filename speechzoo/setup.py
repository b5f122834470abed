"""What a model, service or task is made with."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from speechzoo.errors import SetupError, SpeechzooError


@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """Where and how something is computed: the same for a model and all its parts.

    Attributes:
        device: ``cpu``, ``cuda`` or ``cuda:1``.
        dtype: ``float32``, ``bfloat16`` or ``float16``: what weights are computed in.
        attention: transformers' attention backend, such as ``sdpa`` or ``eager``; "" for the model's own.
        device_map: how a model that is larger than one card is spread over several, as accelerate
            names it, such as ``auto``; "" for all of it on ``device``.
        trust_remote_code: the user allows Python code that lies in a checkpoint to run.
        seed: of every random choice; equal seeds give equal answers, whatever the batch.

    Raises:
        SpeechzooError: a device map beside the CPU, which is one device.
    """

    device: str = "cpu"
    dtype: str = "float32"
    attention: str = ""
    device_map: str = ""
    trust_remote_code: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.device_map and self.device == "cpu":
            raise SpeechzooError(
                f"--device-map {self.device_map} spreads a model over cards, and --device is cpu: "
                "say --device cuda, or leave --device-map out"
            )

    def load_options(self) -> "LoadOptions":
        """These alone, of something that holds more."""
        return LoadOptions(**{field.name: getattr(self, field.name) for field in fields(LoadOptions)})


@dataclass(frozen=True)
class Setup(LoadOptions):
    """The first argument of every class behind a spec: its name and files, and the `LoadOptions`.

    Attributes:
        name: the registry name the object is made under.
        folder: its files (weights, data), or None if it has none.
        parts: a loader for each part the spec or entry names; call `part` to have one.
    """

    name: str
    folder: Path | None = None
    parts: dict[str, Callable[[], Any]] = field(default_factory=dict)
    _loaded: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def part(self, role: str) -> Any:
        """The part with this role: loaded at the first call, the same object ever after.

        Raises:
            SetupError: no part with this role is configured.
        """
        if role not in self.parts:
            raise SetupError(f"{self.name} has no part {role!r}; its parts are {sorted(self.parts)}")
        if role not in self._loaded:
            self._loaded[role] = self.parts[role]()
        return self._loaded[role]

    def files(self) -> Path:
        """The folder, for a class that cannot do without.

        Raises:
            SetupError: the entry names no source.
        """
        if self.folder is None:
            raise SetupError(
                f"{self.name} needs files: name a registry entry with a source, or ADAPTER@FOLDER"
            )
        return self.folder
