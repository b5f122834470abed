"""Models whose packages clash, each in an environment of its own; uv makes it without a network."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from speechzoo import (
    Capability,
    Condition,
    Failure,
    ReplyAsk,
    ScoreAnswer,
    ScoreAsk,
    environments,
    raw,
    user,
)
from speechzoo.catalogue import Catalogue, open_catalogue
from speechzoo.cli import main
from speechzoo.environments import WORKER_NEEDS, Environment
from speechzoo.errors import SetupError
from speechzoo.gap import degradation
from speechzoo.loading import load
from speechzoo.plugins import discover
from speechzoo.run.evaluate import evaluate
from speechzoo.run.executors import Executor
from speechzoo.run.executors.local import Loading, LocalExecutor
from speechzoo.run.executors.process import ProcessWorker
from speechzoo.run.plan import Work
from speechzoo.run.progress import Silent
from speechzoo.run.records import Key
from speechzoo.run.request import Request
from speechzoo.run.results import read_results
from speechzoo.setup import LoadOptions
from speechzoo.testing import model
from tests.conftest import SITE
from tests.run import clash
from tests.run.packages import closure, repack

REGISTRY = """
models:
  new:
    {summary: s, adapter: clash, licence: MIT}
  old:
    summary: s
    adapter: clash
    licence: MIT
    base: new
    environment: {python: "PYTHON", requirements: [clash==4.0]}
""".replace("PYTHON", "{}.{}".format(*sys.version_info))
ALL = (Condition.T2T, Condition.S2T, Condition.S2S)


@dataclass(frozen=True)
class Place:
    """Where the tests of this file have their packages, registry and cache."""

    site: Path
    index: Path
    registry: Path
    cache: Path
    made: Environment


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The environment of the model ``old``, made once: uv finds nothing but what lies in one folder."""
    folder = tmp_path_factory.mktemp("environments")
    site, index, cache = folder / "site", folder / "index", folder / "cache"
    clash.install_here(site)
    index.mkdir()
    # Hatchling and editables install speechzoo from its folder.
    for name in closure([*(need.partition(">")[0] for need in WORKER_NEEDS), "hatchling", "editables"]):
        repack(name, index)
    clash.publish(index)
    (folder / "registry.yaml").write_text(REGISTRY)
    with pytest.MonkeyPatch.context() as patch:
        _settle(patch, site, index, cache)
        component = open_catalogue([folder / "registry.yaml"]).model("old")
        assert component.environment is not None
        made = environments.make("old", component.environment, component.packages(), lambda line: None)
        yield Place(site, index, folder / "registry.yaml", cache, made)
    discover.cache_clear()


def _settle(patch: pytest.MonkeyPatch, site: Path, index: Path, cache: Path) -> None:
    patch.syspath_prepend(str(SITE))
    patch.syspath_prepend(str(site))
    for name, value in {
        "SPEECHZOO_PLUGINS": "instrument,clash",
        "SPEECHZOO_CACHE": str(cache),
        "UV_OFFLINE": "1",
        "UV_NO_INDEX": "1",
        "UV_FIND_LINKS": str(index),
        "UV_CACHE_DIR": str(index.parent / "uv"),
    }.items():
        patch.setenv(name, value)
    discover.cache_clear()


@pytest.fixture
def catalogue(place: Place) -> Catalogue:
    return open_catalogue([place.registry])


def asked(catalogue: Catalogue, *texts: str, **settings: str) -> dict[str, object]:
    """What the model ``old`` answers, by what it is asked."""
    running = LocalExecutor(Loading(catalogue.model("old", settings), LoadOptions()), 30.0)
    try:
        return answers_from(running, *texts)
    finally:
        running.close()


def answers_from(running: Executor, *texts: str) -> dict[str, object]:
    works = [
        Work(Key(role="model", item=text, condition=ALL[0]), ScoreAsk(raw(text), (" a",)), text, text, 1)
        for text in texts
    ]
    return {work.key.item: answer for done in running.run([works]) for work, answer in done}


def test_two_versions_of_a_package_are_at_work_in_one_report(catalogue: Catalogue, tmp_path: Path) -> None:
    """Otherwise: a model that needs transformers 4 cannot be held against one that needs transformers 5."""
    request = Request(
        systems={"model": catalogue.model("old"), "base": catalogue.model("new")},
        task=catalogue.task("arithmetic", {"count": "4"}),
        conditions=ALL,
        out=tmp_path / "run",
    )
    results = read_results(evaluate(request, catalogue.plugins, Silent()))
    heard = {
        (key.role, result.answer.heard) for key, result in results.results.items() if key.condition != ALL[2]
    }
    assert heard == {("model", "clash 4"), ("base", "clash 5")}
    spoken = [one.answer for key, one in results.results.items() if key.condition is Condition.S2S]
    assert {answer.text for answer in spoken} == {"clash 4"}
    assert all(answer.clip.samples().size == 4_000 for answer in spoken)
    report = degradation(results)
    assert {stage.name for stage in report.stages} >= {"T0", "T", "S"}
    assert results.run.environment["old: clash"] == "4.0"


def test_a_worker_needs_few_packages(place: Place) -> None:
    """Otherwise: an old model cannot be run because speechzoo's reports need a newer package than it does."""
    program = (
        "import sys, speechzoo.run.serve; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [place.made.interpreter, "-I", "-c", program], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split()) - set(sys.stdlib_module_names)
    assert loaded >= {"speechzoo", "numpy"}
    assert loaded.isdisjoint(
        {"pydantic", "yaml", "click", "rich", "scipy", "huggingface_hub", "pluggy", "filelock"}
    )
    assert {*place.made.versions()} == {*closure(need.partition(">")[0] for need in WORKER_NEEDS), "clash"}


def test_what_is_printed_is_shown_and_no_answer(
    catalogue: Catalogue, capsys: pytest.CaptureFixture[str]
) -> None:
    """Otherwise: a library that says hello takes every worker down."""
    answers = asked(catalogue, "one")
    assert isinstance(answers["one"], ScoreAnswer)
    assert "noise on standard output" in capsys.readouterr().err


def test_the_last_words_of_a_worker_are_told(catalogue: Catalogue) -> None:
    """Otherwise: a user is left with an exit code."""
    answers = asked(catalogue, "one", "poison", "two", fault="exit")
    died = answers["poison"]
    assert isinstance(died, Failure) and died.reason == "worker_died"
    assert "code 9" in died.detail and "the card is on fire" in died.detail
    assert isinstance(answers["one"], ScoreAnswer) and isinstance(answers["two"], ScoreAnswer)


def test_why_a_model_cannot_be_loaded_is_told(catalogue: Catalogue) -> None:
    """Otherwise: what is missing in an environment nobody looks into is anybody's guess."""
    with pytest.raises(SetupError, match=r"old could not be loaded:\nTraceback[\s\S]*no such kernel"):
        asked(catalogue, "one", fault="load")


def test_an_answer_of_another_shape_fails_alone(catalogue: Catalogue) -> None:
    """Otherwise: one odd answer takes the worker down three times, with all it was asked beside it."""
    worker = ProcessWorker(Loading(catalogue.model("old", {"fault": "shape"}), LoadOptions()), {})
    worker.start()
    try:
        worker.loaded()
        worker.send([ScoreAsk(raw("one"), (" a",)), ReplyAsk((user("two"),))])
        score, reply = worker.answers()
    finally:
        worker.kill()
    assert isinstance(score, ScoreAnswer)
    assert isinstance(reply, Failure) and reply.reason == "wrong_answer_shape"


def test_an_environment_that_is_not_made_is_missed_before_anything_is_asked(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Otherwise: packages are downloaded in the middle of a job without a network."""
    monkeypatch.setenv("SPEECHZOO_CACHE", str(tmp_path))
    component = open_catalogue([place.registry]).model("old")
    with pytest.raises(SetupError, match="not made yet: speechzoo env make old"):
        component.require()
    told = CliRunner().invoke(main, ["list", "models", "--registry", str(place.registry)]).output
    assert "missing: speechzoo env make old" in told
    told = CliRunner().invoke(main, ["env", "list", "--registry", str(place.registry)]).output
    assert told == "old runs in an environment that is not made yet: speechzoo env make old\n"


def test_an_environment_that_cannot_be_made_says_why_and_leaves_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Otherwise: half an environment passes for a whole one, or the reason is lost with uv's output."""
    monkeypatch.setenv("SPEECHZOO_CACHE", str(tmp_path / "cache"))
    registry = tmp_path / "registry.yaml"
    registry.write_text(REGISTRY.replace("clash==4.0", "clash==4.0, clash==6.0"))
    done = CliRunner().invoke(main, ["env", "make", "old", "--registry", str(registry)])
    assert done.exit_code == 3
    assert "the environment of old could not be made: uv could not choose versions:" in done.output
    assert "clash==6.0" in done.output
    assert not list((tmp_path / "cache" / "environments").iterdir())


def test_what_is_made_is_left_alone(place: Place) -> None:
    """Otherwise: a second look changes the versions under a run that is at work."""
    before = (place.made.folder / environments.LOCK).stat()
    done = CliRunner().invoke(main, ["env", "make", "old", "new", "--registry", str(place.registry)])
    assert done.exit_code == 0, done.output
    assert f"old: already at {place.made.folder}" in done.output
    assert "new runs where speechzoo does" in done.output
    assert (place.made.folder / environments.LOCK).stat().st_mtime_ns == before.st_mtime_ns


def test_another_lock_is_another_model(catalogue: Catalogue, place: Place) -> None:
    """Otherwise: a run that is taken up again mixes the answers of two versions of a package."""
    before = catalogue.model("old").identity()
    about = next(path for path in place.made.folder.iterdir() if path.suffix == ".json")
    whole = about.read_text()
    about.write_text(whole.replace(place.made.lock, place.made.lock[::-1]))
    try:
        assert catalogue.model("old").identity() != before
    finally:
        about.write_text(whole)
    assert "environment" not in catalogue.model("new").identity()


def test_a_plugin_of_another_version_is_refused(catalogue: Catalogue) -> None:
    """Otherwise: answers stand under the name of a plugin that did not give them."""
    newer = replace(catalogue.model("old"), package="speechzoo-clash 0.2.0")
    with pytest.raises(
        SetupError, match=r"speechzoo-clash 0\.1\.0 \(here 0\.2\.0\): make it anew with .* make old"
    ):
        newer.require()


def test_a_model_with_an_environment_is_loaded_nowhere_else(catalogue: Catalogue) -> None:
    """Otherwise: it is computed with the wrong packages without a word."""
    with pytest.raises(SetupError, match="old runs in an environment of its own and cannot be loaded"):
        load(catalogue.model("old"))
    with pytest.raises(
        SetupError, match="old runs in an environment of its own and cannot be a part of outer"
    ):
        catalogue.model("outer").require()


def test_the_kit_checks_a_model_where_it_runs(catalogue: Catalogue, place: Place) -> None:
    """Otherwise: the models with the oldest code are the ones whose promises nobody can check."""
    subject = model("old", catalogue=catalogue)
    try:
        answer = subject.answer(ScoreAsk(raw("one"), (" a",)))
        assert isinstance(answer, ScoreAnswer) and answer.heard == "clash 4"
        assert subject.can(Capability.SPEECH_OUT) and not subject.can(Capability.STREAM)
        process = subject.model._worker.process_id  # type: ignore[attr-defined]
    finally:
        subject.close()
    assert not psutil.pid_exists(process)
    with pytest.raises(SetupError, match=r"Traceback[\s\S]*no such kernel"):
        model("old", {"fault": "load"}, catalogue=catalogue).answer(ScoreAsk(raw("one"), (" a",)))


def test_fresh_files_are_prepared_in_the_environment(place: Place, tmp_path: Path) -> None:
    """Otherwise: weights cannot be converted, or by another version than the one that loads them."""
    place.made.call("clash_model:prepare", tmp_path)
    assert (tmp_path / "prepared").read_text() == "by clash 4"
    with pytest.raises(SetupError, match=r"clash_model:prepare failed:[\s\S]*FileNotFoundError"):
        place.made.call("clash_model:prepare", tmp_path / "absent")


def test_a_worker_whose_run_is_gone_ends_in_the_middle_of_a_batch(catalogue: Catalogue) -> None:
    """Otherwise: a run that was killed keeps its card for as long as its last batch hangs."""
    worker = ProcessWorker(Loading(catalogue.model("old", {"fault": "hang"}), LoadOptions()), {})
    worker.start()
    try:
        worker.loaded()
        worker.send([ScoreAsk(raw("poison"), (" a",))])
        worker.leave()
        worker.join(30.0)
        assert worker._running.poll() == 1
    finally:
        worker.kill()


@pytest.mark.slow
def test_ray_computes_a_model_in_its_environment(
    catalogue: Catalogue, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise: such a model runs on a cluster with the packages of the node, or not at all."""
    pytest.importorskip("ray")
    from speechzoo.run.executors.ray import RayExecutor

    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(SITE), str(place.site)]))
    running = RayExecutor(Loading(catalogue.model("old", {"fault": "exit"}), LoadOptions()), 30.0)
    try:
        answers = answers_from(running, "one", "poison")
    finally:
        running.close()
    one, died = answers["one"], answers["poison"]
    assert isinstance(one, ScoreAnswer) and one.heard == "clash 4"
    assert isinstance(died, Failure) and "the card is on fire" in died.detail
