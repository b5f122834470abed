"""How something is made, as plain data, and the making of it.

A worker in an environment of its own is given a recipe: it knows nothing of registries, plugins and caches.
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Self

from speechzoo.errors import SetupError
from speechzoo.setup import LoadOptions, Setup


@dataclass(frozen=True)
class Recipe:
    """What a class behind a spec is made with.

    Attributes:
        name: the registry name the object is made under.
        target: ``"module:Class"``.
        parameters: its keywords.
        folder: its files, None if it has none.
        parts: by role.
        remote_code: Python code that lies in its checkpoint runs, if the options allow it.
    """

    name: str
    target: str
    parameters: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    folder: Path | None = None
    parts: Mapping[str, "Recipe"] = field(default_factory=dict)
    remote_code: bool = False

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "target": self.target,
            "parameters": dict(self.parameters),
            "folder": None if self.folder is None else str(self.folder.absolute()),
            "parts": {role: part.to_json() for role, part in self.parts.items()},
            "remote_code": self.remote_code,
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        """What `to_json` wrote."""
        folder = None if told["folder"] is None else Path(told["folder"])
        parts = {role: cls.from_json(part) for role, part in told["parts"].items()}
        return cls(told["name"], told["target"], told["parameters"], folder, parts, told["remote_code"])


def make(recipe: Recipe, options: LoadOptions) -> Any:
    """Imports the class and makes it; its parts are made when it asks for them.

    Args:
        recipe: what is made.
        options: where and how it is computed, and its parts.

    Raises:
        SetupError: the class cannot be imported, or does not take its parameters.
    """
    # transformers prefers a checkpoint's code, once it is trusted, to its own: the leave must change nothing
    # for an adapter that needs no such code.
    own = replace(options.load_options(), trust_remote_code=options.trust_remote_code and recipe.remote_code)
    setup = Setup(
        name=recipe.name,
        folder=recipe.folder,
        parts={role: partial(make, part, options) for role, part in recipe.parts.items()},
        **vars(own),
    )
    made = import_target(recipe.target)
    try:
        inspect.signature(made).bind(setup, **recipe.parameters)
    except TypeError as error:
        raise SetupError(
            f"{recipe.target} does not take the parameters its spec declares: {error}"
        ) from error
    return made(setup, **recipe.parameters)


def import_target(target: str) -> Any:
    """What ``"module:name"`` names.

    Raises:
        SetupError: it cannot be imported.
    """
    module, _, name = target.partition(":")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise SetupError(f"{target} cannot be imported: {error}") from error
