"""What several runs of one series have to have in common, so that they differ in what is heard alone.

A single run refuses another model or dtype, and asks again what another device, version or data set changes;
runs that lie side by side would keep what they have.
"""

from speechzoo import __version__
from speechzoo.loading import Component
from speechzoo.run.records import RunFile
from speechzoo.run.request import Request
from speechzoo.run.signature import read_signature
from speechzoo.specs import JsonObject

ASKED_AGAIN = frozenset({"rival", "task", "device", "speechzoo"})
"""Settings that a run may change: it asks again what they change. Any other belongs to another run."""


def settings_of(request: Request) -> JsonObject:
    """By name, of a run that is wanted; the base text LLM hears nothing, and is none of them."""

    def identity(component: Component | None) -> JsonObject:
        return component.identity() if component is not None else {}

    return {
        "model": identity(request.systems["model"]),
        "rival": identity(request.systems.get("rival")),
        "task": identity(request.task),
        "dtype": request.dtype,
        "attention": request.attention,
        "seed": request.seed,
        "device": request.device_kind,
        "speechzoo": __version__,
    }


def settings_in(run: RunFile) -> JsonObject:
    """The same of a run that lies in a folder."""
    rival = run.systems.get("rival")
    return {
        "model": run.systems["model"].identity,
        "rival": rival.identity if rival is not None else {},
        "task": run.task.identity,
        "dtype": run.systems["model"].dtype,
        "attention": read_signature(run.signature).get("attention", ""),
        "seed": run.seed,
        "device": run.device.partition(":")[0],
        "speechzoo": run.speechzoo,
    }
