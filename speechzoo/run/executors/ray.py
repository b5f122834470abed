"""Workers on a Ray cluster: the same worker as on this machine, as a Ray actor.

Ray finds the machines and moves the data; everything else stays with the run, which alone writes answers.
An actor that is lost is never restarted by Ray: a new one is made, and given work once it is loaded.
"""

import logging
import os
import secrets
import socket
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any

from packaging.requirements import Requirement

from speechzoo import __version__
from speechzoo.asks import Ask, MultiScoreAsk, ScoreAsk, with_clips
from speechzoo.audio import AudioClip
from speechzoo.dialogue import Part
from speechzoo.errors import ItemError, SetupError
from speechzoo.run.executors import Answered
from speechzoo.run.executors.pool import PATIENCE, Pool, State
from speechzoo.run.executors.process import answering
from speechzoo.run.executors.worker import Answers, Loading, WorkerLostError
from speechzoo.run.plan import Work

SECONDS_TO_BE_TOLD = 60.0
SECONDS_TO_KNOCK = 10.0
OBJECT_STORE_BYTES = 512 * 1024**2

_LOG = logging.getLogger(__name__)


class RayExecutor:
    """Runs a system in actors of a Ray cluster; see `LocalExecutor` for what becomes of lost batches.

    Nodes may come and go: workers that find no room wait for it while the others go on. Audio files are
    sent along, as a node need not have them; the model's own files must be at the same path on every node.

    Args:
        loading: the system and how to load it; its device is ``cpu`` or ``cuda``.
        time_limit: seconds a batch may take.
        address: of the cluster, such as ``auto`` or ``10.0.0.5:6379``; None starts Ray on this machine, for
            this run alone.
        workers: how many; None means as many as the GPUs allow, and without GPUs one a node.
        gpus_per_worker: for each worker, such as 0.5; None means one if the device is a GPU.
        patience: seconds to wait for room while no worker has any.

    Raises:
        SetupError: Ray is not installed, the cluster cannot be reached, or this machine has no room.
    """

    def __init__(
        self,
        loading: Loading,
        time_limit: float,
        address: str | None = None,
        workers: int | None = None,
        gpus_per_worker: float | None = None,
        patience: float = PATIENCE,
    ) -> None:
        device = loading.options.device
        if device not in ("cpu", "cuda"):
            raise SetupError(f"on Ray --device is cpu or cuda, not {device}: Ray chooses the cards")
        gpus = (device == "cuda") * 1.0 if gpus_per_worker is None else gpus_per_worker
        self._need = {"CPU": 1.0, **({"GPU": gpus} if gpus else {})}
        here, odd = _versions(_relied_on(loading)), set[str]()
        apart = loading.component.made_environment()
        lock = apart.lock if apart else None
        self._ray = _imported()
        self._was_there: bool = self._ray.is_initialized()
        if not self._was_there:
            _connect(self._ray, address, workers or 1)
        try:
            count = self._count(workers, address)
            actor = self._actor(count)
        except BaseException:
            self._leave()
            raise
        made = [RayWorker(self._ray, actor, loading, lock, here, odd) for _ in range(count)]
        self._told = False
        self._pool = Pool(loading.component.name, made, self._ready, time_limit, patience)

    def run(self, batches: Iterable[list[Work]]) -> Iterator[Answered]:
        return self._pool.run(batches)

    def close(self) -> None:
        """Ends the workers, and Ray with them where it was not there before."""
        try:
            self._pool.close()
        finally:
            self._leave()

    def _leave(self) -> None:
        if not self._was_there:
            self._ray.shutdown()

    def _count(self, workers: int | None, address: str | None) -> int:
        """How many workers there will be."""
        has, gpus = self._resources(), self._need.get("GPU")
        fitting = int(has.get("GPU", 0.0) // gpus) if gpus else len(self._nodes())
        # With an autoscaler machines may come later: at least one worker waits for them.
        count = workers or max(1, fitting)
        if address is None and any(has.get(name, 0.0) < count * own for name, own in self._need.items()):
            raise SetupError(f"{self._room(count)}; ask for fewer workers, or name a cluster with --address")
        return count

    def _actor(self, count: int) -> Any:
        """What makes actors, of which there will be so many."""
        threads = max(1, int(self._resources().get("CPU", 1.0)) // count)
        return self._ray.remote(
            num_cpus=1,
            num_gpus=self._need.get("GPU", 0.0),
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy="SPREAD",
            runtime_env={"env_vars": {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(threads))}},
        )(_Actor)

    def _ready(self, workers: Sequence["RayWorker"], seconds: float) -> list["RayWorker"]:
        """Waits as `Pool` wants it, and tells once when no worker finds room for long."""
        until = time.monotonic() + seconds
        handles = [worker.pending for worker in workers]
        while True:
            left = max(0.0, min(until - time.monotonic(), SECONDS_TO_BE_TOLD))
            ready, waiting = self._ray.wait(handles, num_returns=1, timeout=left)
            if ready or time.monotonic() >= until:
                break
            self._tell_of_waiting()
        if waiting:  # those that became ready at the same time
            ready += self._ray.wait(waiting, num_returns=len(waiting), timeout=0)[0]
        return [worker for worker in workers if worker.pending in ready]

    def _tell_of_waiting(self) -> None:
        loaded = [place for place in self._pool.places if place.state in (State.IDLE, State.BUSY)]
        if not loaded and not self._told:
            self._told = True
            _LOG.warning("no worker is loaded yet: %s", self._room(len(self._pool.places)))

    def _resources(self) -> dict[str, float]:
        found: dict[str, float] = self._ray.cluster_resources()
        return found

    def _nodes(self) -> list[Any]:
        return [node for node in self._ray.nodes() if node["Alive"]]

    def _room(self, count: int) -> str:
        has = self._resources()
        need = ", ".join(f"{own:g} {name}" for name, own in self._need.items())
        there = ", ".join(f"{has.get(name, 0.0):g} {name}" for name in self._need)
        return f"{count} workers need {need} each, Ray has {there} in all"


class RayWorker:
    """One actor; see `Worker`.

    Args:
        ray: the package.
        actor: makes actors.
        loading: what they load.
        lock: of the environment that it has to itself, None if it has none.
        here: versions of packages; workers that have others are told of, as they may round otherwise.
        told: what was told of, shared by all workers.
    """

    def __init__(
        self,
        ray: Any,
        actor: Any,
        loading: Loading,
        lock: str | None,
        here: Mapping[str, str],
        told: set[str],
    ) -> None:
        self._ray = ray
        self._make = actor
        self._loading = loading
        self._lock = lock
        self._here = here
        self._told = told
        self._actor: Any = None
        self.pending: Any = None

    def start(self) -> None:
        self._actor = self._make.remote()
        self.pending = self._actor.load.remote(self._loading, self._lock, sorted(self._here))

    def loaded(self) -> None:
        problem, there = self._get(self.pending)
        if problem is not None:
            raise SetupError(problem)
        odd = ", ".join(
            f"{name} {there[name]} (here {own})" for name, own in self._here.items() if there[name] != own
        )
        if odd and odd not in self._told:
            self._told.add(odd)
            _LOG.warning("a node has %s: its answers may be rounded otherwise", odd)

    def send(self, asks: Sequence[Ask]) -> None:
        # Ray takes work for an actor that is gone; its loss would then count against this batch.
        self._get(self._actor.alive.remote(), SECONDS_TO_KNOCK)
        self.pending = self._actor.answer.remote([with_audio(ask) for ask in asks])

    def answers(self) -> Answers:
        answers: Answers | SetupError | WorkerLostError = self._get(self.pending)
        if isinstance(answers, SetupError | WorkerLostError):
            raise answers
        return answers

    def kill(self) -> None:
        if self._actor is not None:
            self._ray.kill(self._actor, no_restart=True)
        self._actor = self.pending = None

    def _get(self, pending: Any, seconds: float | None = None) -> Any:
        try:
            return self._ray.get(pending, timeout=seconds)
        except self._ray.exceptions.RayError as error:
            # The first line says what happened, the others where Ray keeps its logs.
            raise WorkerLostError(f"{type(error).__name__}: {str(error).strip().splitlines()[0]}") from error


class _Actor:
    """Inside the cluster: loads, then answers. It is made before it loads, so that a failure can be told."""

    def load(
        self, loading: Loading, lock: str | None, names: Sequence[str]
    ) -> tuple[str | None, dict[str, str]]:
        """Why it cannot be loaded, None if it is; and the versions of these packages."""
        problem = _other_packages(loading)
        if problem is None:
            answer = answering(loading, lock)
            if isinstance(answer, str):
                problem = answer
            else:
                self._answer = answer
        return problem, _versions(names)

    def alive(self) -> None:
        """Answers if anybody is there."""

    def answer(self, asks: Sequence[Ask]) -> Answers | SetupError | WorkerLostError:
        return self._answer(asks)


def with_audio(ask: Ask) -> Ask:
    """The same ask with the content of its clips in place of their paths; its digest stays."""
    changed = with_clips(ask, _encoded)
    if isinstance(changed, ScoreAsk):
        return _with_spoken(changed)
    if isinstance(changed, MultiScoreAsk):
        return MultiScoreAsk(tuple(map(_with_spoken, changed.asks)))
    return changed


def _with_spoken(ask: ScoreAsk) -> ScoreAsk:
    parts: tuple[Part, ...] = tuple(
        _encoded(part) if isinstance(part, AudioClip) else part for part in ask.continuations
    )
    return replace(ask, continuations=parts)


def _encoded(clip: AudioClip) -> AudioClip:
    try:
        return AudioClip.from_bytes(clip.encoded(), clip.transcript, clip.language)
    except ItemError:  # the worker meets the same, and tells it as this item's outcome
        return clip


def _other_packages(loading: Loading) -> str | None:
    """A node with other versions would answer under a name that is not its own."""
    wanted = {"speechzoo": __version__}
    wanted |= dict(part.package.split(" ", 1) for part in loading.component.whole())
    told = [
        f"{name} {own} is wanted, the node has {there}"
        for name, own in sorted(wanted.items())
        if (there := _version(name)) != own
    ]
    return "; ".join(told) or None


def _relied_on(loading: Loading) -> list[str]:
    """The packages that those of a system need by themselves, and what computes."""
    packages = {part.package.split()[0] for part in loading.component.whole()}
    required = [Requirement(line) for name in packages for line in requires(name) or ()]
    needed = {one.name for one in required if one.marker is None or one.marker.evaluate({"extra": ""})}
    return sorted(needed | {"torch", "transformers"})


def _versions(names: Iterable[str]) -> dict[str, str]:
    return {name: _version(name) for name in names}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


def _imported() -> Any:
    """The package ray, which reports no use."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Otherwise Ray hides a machine's cards from workers that were given none, and warns that it will not.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        return import_module("ray")
    except ImportError as error:
        raise SetupError(f"--executor ray needs Ray: pip install 'speechzoo[ray]' ({error})") from error


def _connect(ray: Any, address: str | None, workers: int) -> None:
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if address is not None:
            _knock(address)
            ray.init(address=address, **quiet)
            return
        # Ray listens on all interfaces and runs what it is sent. Started here it wants a token, unless
        # RAY_AUTH_MODE says otherwise. We do not set that: ray read it when it was imported.
        if "RAY_AUTH_MODE" not in os.environ:
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        ray.init(
            address="local",
            num_cpus=max(os.cpu_count() or 1, workers),
            include_dashboard=False,
            object_store_memory=OBJECT_STORE_BYTES,
            **quiet,
        )
    except (OSError, RuntimeError, ValueError, ImportError) as error:
        where = "Ray cannot be started here" if address is None else f"there is no Ray at {address}"
        raise SetupError(f"{where}: {error}") from error


def _knock(address: str) -> None:
    """Raises `OSError` within seconds if nobody listens there; Ray itself tries for minutes."""
    host, _, port = address.rpartition(":")
    if port.isdecimal() and "/" not in host:
        socket.create_connection((host.strip("[]"), int(port)), timeout=SECONDS_TO_KNOCK).close()
