"""Actors of Ray in place of processes: the same answers, and what cannot be run is told."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from speechzoo import AudioClip, ReplyAsk, ScoreAsk, raw, user
from speechzoo.asks import MultiScoreAsk, ask_digest, continuations_of, dialogue_of
from speechzoo.catalogue import open_catalogue
from speechzoo.dialogue import clips_of
from speechzoo.errors import SetupError
from speechzoo.loading import Component
from speechzoo.run.executors import ray as module
from speechzoo.run.executors.pool import State
from speechzoo.run.executors.ray import RayExecutor, RayWorker, with_audio
from speechzoo.run.executors.worker import Loading, WorkerLostError
from speechzoo.run.request import Request
from speechzoo.setup import LoadOptions
from tests.conftest import SITE
from tests.run.broken_card import broken_card
from tests.run.in_process import InProcess
from tests.run.many_workers import Spare, batches, failures, items, run, work

KILLS = 20
DELAY = 0.03
ROOT = Path(__file__).parents[2]


def test_nobody_at_the_address_is_told_at_once(instrument: dict[str, str], tmp_path: Path) -> None:
    """Otherwise: a typo in the address costs minutes of Ray's own attempts."""
    pytest.importorskip("ray")
    loading = Loading(broken_card(tmp_path, 0.0), LoadOptions())
    begun = time.monotonic()
    with pytest.raises(SetupError, match=r"there is no Ray at 127\.0\.0\.1:1: .*refused"):
        RayExecutor(loading, 60.0, address="127.0.0.1:1")
    assert time.monotonic() - begun < 30


def test_without_ray_its_extra_is_named(
    instrument: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise: an import error is all that says what to install."""
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SetupError, match=r"pip install 'speechzoo\[ray\]'"):
        RayExecutor(Loading(broken_card(tmp_path, 0.0), LoadOptions()), 60.0)


def test_a_card_of_this_machine_is_no_device_of_a_cluster(instrument: object, tmp_path: Path) -> None:
    """Otherwise: every actor asks for the card of that number, which Ray gave to another."""
    with pytest.raises(SetupError, match="cpu or cuda, not cuda:1"):
        RayExecutor(Loading(broken_card(tmp_path, 0.0), LoadOptions(device="cuda:1")), 60.0)


def test_clips_travel_with_their_asks(instrument: object, tmp_path: Path) -> None:
    """Otherwise: a node without the data set's folder calls every recording missing."""
    from speechzoo_instrument_parts import tone

    path = tmp_path / "tone.flac"
    path.write_bytes(tone(0.5).encoded())
    clip = AudioClip.from_file(path, transcript="a tone", language="en")
    score = ScoreAsk(raw("before ", clip), (" a", clip))
    asks = [score, MultiScoreAsk((score,)), ReplyAsk((user(clip),), speech=True)]
    digests = [ask_digest(ask) for ask in asks]
    sent = [with_audio(ask) for ask in asks]
    path.unlink()
    assert [ask_digest(ask) for ask in sent] == digests
    for ask in sent:
        parts = [*clips_of(dialogue_of(ask)), *(p for p in continuations_of(ask) if isinstance(p, AudioClip))]
        assert [(own.transcript, own.language) for own in parts] == [("a tone", "en")] * len(parts) != []
        assert all(isinstance(own.data, bytes) for own in parts)
    assert with_audio(score).context[0].parts[1].data is clip.data  # gone: the worker will tell


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    """Ray on this machine; its workers find the instrument as a plugin of another package is found."""
    package = pytest.importorskip("ray")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(SITE)]))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        patch.setenv("RAY_AUTH_TOKEN", "0" * 64)  # otherwise Ray makes one and keeps it in the user's home
        package.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
        yield package
        package.shutdown()


@contextmanager
def executor(component: Component, time_limit: float = 60.0) -> Iterator[RayExecutor]:
    running = RayExecutor(Loading(component, LoadOptions()), time_limit, workers=2)
    try:
        yield running
    finally:
        running.close()


class Killed:
    """Makes executors of two actors, whose processes are killed at random instants, so many in all."""

    def __init__(self, ray: Any, kills: int) -> None:
        self.kills, self._ray, self._wanted = 0, ray, kills

    def __call__(self, component: Component, request: Request) -> RayExecutor:
        loading = Loading(component, request.load_options())
        self._running = RayExecutor(loading, request.time_limit, workers=2)
        threading.Thread(target=self._kill, daemon=True).start()
        return self._running

    def _kill(self) -> None:
        chance = random.Random(20)
        spare = Spare()
        while self.kills < self._wanted:
            time.sleep(0.01)
            at_work = [place for place in self._running._pool.places if place.state is State.BUSY]
            if not at_work:
                continue
            place = chance.choice(at_work)
            try:
                number = self._ray.get(place.worker._actor.__ray_call__.remote(_process_id))
            except (AttributeError, self._ray.exceptions.RayError):  # it has just been ended
                continue
            time.sleep(chance.uniform(0.05, 0.3))
            if spare.may_die(place.batch):
                with suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
                    self.kills += 1


def _process_id(_actor: object) -> int:
    return os.getpid()


@pytest.mark.slow
def test_two_actors_killed_twenty_times_report_what_one_worker_reports(
    ray: Any, instrument: dict[str, str], tmp_path: Path
) -> None:
    """Otherwise: the cluster, or a node that is lost, changes a result."""
    one = run(tmp_path / "one", InProcess, DELAY)
    assert run(tmp_path / "two", Killed(ray, 0), DELAY) == one
    killed, runs = Killed(ray, KILLS), 0
    # A new actor takes seconds to load, and one run may be over before all of them.
    while killed.kills < KILLS:
        runs += 1
        assert run(tmp_path / f"killed-{runs}", killed, DELAY) == one
        assert killed.kills >= runs


@pytest.mark.slow
def test_an_item_that_kills_every_actor_is_set_aside(
    ray: Any, instrument: dict[str, str], tmp_path: Path
) -> None:
    """Otherwise: one poison item restarts actors for ever, or takes its neighbours along."""
    log = tmp_path / "log"
    component = open_catalogue().model("instrument", {"fault": "exit", "log": str(log)})
    with executor(component) as running:
        answered = list(running.run(batches(4, poison=3)))
    assert failures(answered) == {"3": "worker_died"}
    assert sorted(items(answered)) == list("01234567")
    assert sum("poison" in line for line in log.read_text().splitlines()) == 4


@pytest.mark.slow
def test_a_hung_actor_does_not_hold_up_its_neighbour(ray: Any, instrument: dict[str, str]) -> None:
    """Otherwise: one hanging item stops a cluster until its time is over."""
    component = open_catalogue().model("instrument", {"fault": "hang", "delay": "0.02"})
    with executor(component, time_limit=5.0) as running:
        answered = list(running.run(batches(10, poison=0)))
    assert failures(answered) == {"0": "timed_out"}
    assert sorted(items(answered), key=int) == [str(n) for n in range(20)]


@pytest.mark.slow
def test_what_a_node_lacks_ends_the_run(ray: Any, instrument: dict[str, str], tmp_path: Path) -> None:
    """Otherwise: a node of another version answers under a name that is not its own."""
    with (
        executor(broken_card(tmp_path, 0.0)) as running,
        pytest.raises(SetupError, match="broken-card could not be loaded:\nno such device"),
    ):
        list(running.run(batches(3)))
    other = broken_card(tmp_path / "none", 0.0, package="speechzoo-instrument 0.2.0")
    with (
        executor(other) as running,
        pytest.raises(SetupError, match=r"speechzoo-instrument 0\.2\.0 is wanted, the node has 0\.1\.0"),
    ):
        list(running.run(batches(3)))


def loaded(ray: Any, worker: RayWorker) -> None:
    """Waits until it is."""
    worker.start()
    ray.wait([worker.pending], timeout=60)
    worker.loaded()


@pytest.mark.slow
def test_an_actor_that_died_while_it_waited_takes_no_work(
    ray: Any, instrument: dict[str, str], tmp_path: Path
) -> None:
    """Otherwise: Ray takes the work for it all the same, and its death counts against what it never saw."""
    with executor(broken_card(tmp_path / "none", 0.0)) as running:
        worker = running._pool.places[0].worker
        loaded(ray, worker)
        os.kill(ray.get(worker._actor.__ray_call__.remote(_process_id)), signal.SIGKILL)
        with pytest.raises(WorkerLostError, match=r"Actor(Died|Unavailable)Error"):
            worker.send([work(0).ask])


@pytest.mark.slow
def test_other_versions_of_what_computes_are_told(
    ray: Any,
    instrument: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Otherwise: half of a run is answered by another torch, and nobody can know."""
    real = module._versions

    def here(names: list[str]) -> dict[str, str]:
        return real(names) | {"torch": "0.0.1"}

    monkeypatch.setattr(module, "_versions", here)  # not in the actors, which import it anew
    with executor(broken_card(tmp_path / "none", 0.0)) as running:
        assert len(items(list(running.run(batches(4))))) == 8
    (told,) = [record.message for record in caplog.records]
    torch = real(["torch"])["torch"]
    assert told == f"a node has torch {torch} (here 0.0.1): its answers may be rounded otherwise"


def alone(code: str, environment: dict[str, str], home: Path) -> list[str]:
    """What code prints, line by line, in a process that has not met Ray; its argument is a missing file."""
    paths = os.pathsep.join([str(ROOT), str(SITE)])
    done = subprocess.run(
        [sys.executable, "-c", code, str(home / "none")],
        env={name: value for name, value in environment.items() if not name.startswith("RAY_")}
        | {"PYTHONPATH": paths, "HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


ALONE = """
import os
import sys
from pathlib import Path

import ray  # which takes its settings from the environment as it is now

from speechzoo.errors import SetupError
from speechzoo.run.executors.ray import RayExecutor
from speechzoo.run.executors.worker import Loading
from speechzoo.setup import LoadOptions
from tests.run.broken_card import broken_card
from tests.run.many_workers import batches, items

model = broken_card(Path(sys.argv[1]), 0.0)
try:
    RayExecutor(Loading(model, LoadOptions(device="cuda")), 60.0, workers=1000)
except SetupError as error:
    print(error, ray.is_initialized(), sep=": ")
running = RayExecutor(Loading(model, LoadOptions()), 60.0, workers=1)
print("auth", os.environ["RAY_AUTH_MODE"], (Path.home() / ".ray").exists())
print("answered", *items(list(running.run(batches(1)))))
running._pool.places[0].worker.kill = lambda: 1 / 0
try:
    running.close()
except ZeroDivisionError:
    print("closed", not ray.is_initialized())
"""


@pytest.mark.slow
def test_a_ray_of_its_own_is_closed_to_others_and_always_ended(
    instrument: dict[str, str], tmp_path: Path
) -> None:
    """Otherwise: anybody in the network runs code here, or a Ray that nobody uses is left behind."""
    pytest.importorskip("ray")
    refused, auth, answered, closed = alone(ALONE, instrument, tmp_path)
    assert "1000 workers need 1 CPU, 1 GPU each" in refused and refused.endswith(": False")
    assert auth == "auth token False"
    assert answered == "answered 0 1"
    assert closed == "closed True"


TWO_NODES = """
import sys
from pathlib import Path

from ray.cluster_utils import Cluster

from speechzoo.run.executors.pool import State
from speechzoo.run.executors.ray import RayExecutor
from speechzoo.run.executors.worker import Loading
from speechzoo.setup import LoadOptions
from tests.run.broken_card import broken_card
from tests.run.many_workers import batches, failures, items

node = {"num_cpus": 2, "object_store_memory": 100 * 1024**2}
cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
other = cluster.add_node(**node)
loading = Loading(broken_card(Path(sys.argv[1]), 0.05), LoadOptions())
running = RayExecutor(loading, 60.0, address=cluster.address, workers=4)
places = running._pool.places
answered, lost = [], False
for done in running.run(batches(400)):
    answered.append(done)
    if not lost and len(running._pool._at(State.BUSY)) == 4:
        lost = True
        cluster.remove_node(other, allow_graceful=False)
left = [place.state is State.LOADING for place in places]
print(lost, sorted(items(answered), key=int) == [str(n) for n in range(800)], failures(answered), sum(left))
running.close()
cluster.shutdown()
"""


@pytest.mark.slow
def test_a_node_that_is_lost_costs_no_answer(instrument: dict[str, str], tmp_path: Path) -> None:
    """Otherwise: what was asked there is lost, or counted against the items."""
    pytest.importorskip("ray")
    # Ray tells of the node that was lost before that.
    assert alone(TWO_NODES, instrument, tmp_path)[-1] == "True True {} 2"
