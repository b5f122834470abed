"""Where the workers of a run are: the options that choose an executor, and what they choose."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from speechzoo.loading import Component
from speechzoo.run.evaluate import MakeExecutor
from speechzoo.run.executors import Executor
from speechzoo.run.executors.devices import read_devices
from speechzoo.run.executors.local import Loading, LocalExecutor
from speechzoo.run.request import Request

Function = TypeVar("Function", bound=Callable[..., Any])


def executor_options(function: Function) -> Function:
    """Adds ``executor``, ``address``, ``workers`` and ``gpus_per_worker``, for `choose_executor`."""
    for option in (
        click.option(
            "--gpus-per-worker",
            type=click.FloatRange(min=0),
            metavar="G",
            help="On Ray, such as 2 or 0.5. Default: 1 with --device cuda.",
        ),
        click.option(
            "--workers",
            type=click.IntRange(min=1),
            help="On Ray. Default: as many as its GPUs allow, without GPUs one a node.",
        ),
        click.option(
            "--address", metavar="HOST:PORT", help="Of a Ray cluster; default: Ray on this machine alone."
        ),
        click.option(
            "--executor",
            type=click.Choice(("local", "ray")),
            default="local",
            show_default=True,
            help="Processes on this machine, one a device ('--device cuda:0,cuda:1'), or actors of Ray.",
        ),
    ):
        function = option(function)
    return function


def choose_executor(
    device: str,
    executor: str,
    address: str | None,
    workers: int | None,
    gpus_per_worker: float | None,
    device_map: str | None = None,
) -> tuple[str, MakeExecutor]:
    """The device that the request names, and what makes the workers.

    Args:
        device: as the user wrote it; several are one worker each.
        executor: ``local`` or ``ray``.
        address: of a Ray cluster; None starts Ray here.
        workers: how many on Ray, None for as many as there is room for.
        gpus_per_worker: on Ray; None means one if the device is a GPU.
        device_map: how a model is spread over several cards, None if it is not.

    Raises:
        UsageError: options that exclude each other.
        SpeechzooError: the device is none.
    """
    devices = read_devices(device)
    if executor == "ray":
        if len(devices) > 1:
            raise click.UsageError("Ray chooses the devices: say --device cpu or cuda, and --workers")

        def on_ray(component: Component, request: Request) -> Executor:
            from speechzoo.run.executors.ray import RayExecutor

            loading = Loading(component, request.load_options())
            return RayExecutor(loading, request.time_limit, address, workers, gpus_per_worker)

        return devices[0], on_ray
    if (address, workers, gpus_per_worker) != (None, None, None):
        raise click.UsageError(
            "--address, --workers and --gpus-per-worker are of --executor ray; here workers are "
            "counted by devices: --device cuda:0,cuda:1 or --device 'cpu x2'"
        )
    if device_map and len(devices) > 1:
        raise click.UsageError(
            f"--device-map {device_map} spreads one model over all cards, --device {device} names several "
            "workers, each with a model of its own; leave one of the two out"
        )

    def here(component: Component, request: Request) -> Executor:
        loading = Loading(component, request.load_options())
        return LocalExecutor(loading, request.time_limit, devices)

    return devices[0], here
