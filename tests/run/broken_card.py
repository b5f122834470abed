"""A model for tests that cannot be loaded while a file is there."""

from pathlib import Path
from typing import Any

from speechzoo import Capability, ModelSpec, SetupError
from speechzoo.loading import Component


def broken_card(file: Path, delay: float, package: str = "speechzoo-instrument 0.1.0") -> Component:
    """The instrument, loaded through this module; it is known by no name."""
    spec = ModelSpec("broken-card", "tests.run.broken_card:load_unless_broken", "", frozenset(Capability))
    parameters = {"file": str(file), "delay": delay}
    return Component("model", spec.name, spec, package, parameters)


def load_unless_broken(setup: Any, file: str, delay: float) -> Any:
    from speechzoo_instrument_parts import InstrumentModel

    if Path(file).exists():
        raise SetupError("no such device")
    return InstrumentModel(setup, log="", delay=delay, fault="", bias=0.0)
