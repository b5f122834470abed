"""Runs asked again in other ways: models that do not mind, and models that do."""

import json
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from speechzoo import Condition, SetupError, SpeechzooError
from speechzoo.catalogue import open_catalogue
from speechzoo.cli import main
from speechzoo.gap import degradation
from speechzoo.gap.invariance import invariance, with_invariance, write_invariance
from speechzoo.gap.invariance_findings import Invariance, WayFinding
from speechzoo.loading import Component
from speechzoo.run.evaluate import MakeExecutor, evaluate
from speechzoo.run.executors import Answered
from speechzoo.run.plan import Work
from speechzoo.run.progress import Silent
from speechzoo.run.request import Request
from speechzoo.run.results import read_results
from speechzoo.run.shard import read_shard
from speechzoo.run.verify import WAYS, ask_in_every_way, refuse_other_components
from tests.run.in_process import InProcess

BATCH_TOKENS = 60
Speechzoo = Callable[..., subprocess.CompletedProcess[str]]


def request_of(folder: Path, fault: str = "", **options: Any) -> Request:
    """At most twenty asks a batch, beyond which the model ``leaks``."""
    catalogue = open_catalogue()
    made: dict[str, Any] = {"conditions": (Condition.T2T,), "batch_tokens": BATCH_TOKENS}
    return Request(
        systems={"model": catalogue.model("instrument", {"fault": fault})},
        task=catalogue.task("arithmetic", {"count": "24"}),
        out=folder,
        **{**made, **options},
    )


def verified(
    folder: Path, request: Request, workers: MakeExecutor = InProcess, two_workers: MakeExecutor = InProcess
) -> Invariance:
    """A run, made if it is not there, and twelve of its items asked again."""
    plugins, scratch = open_catalogue().plugins, folder / "scratch"
    run = read_results(evaluate(request, plugins, Silent(), InProcess))
    scratch.mkdir()
    sample = replace(request, limit=12)
    return invariance(run, ask_in_every_way(sample, plugins, Silent(), scratch, workers, two_workers))


def by_name(found: Invariance) -> dict[str, WayFinding]:
    return {way.way: way for way in found.ways}


def test_a_model_that_does_not_mind_is_identical_in_every_way(
    instrument: dict[str, str], tmp_path: Path
) -> None:
    """Otherwise: a sound adapter is blamed, or a way asks nothing and passes."""
    spoken = (Condition.S2T, Condition.S2S)
    found = verified(tmp_path, request_of(tmp_path / "run", conditions=spoken))
    assert [way.way for way in found.ways] == [way.name for way in WAYS]
    assert {way.verdict for way in found.ways} == {"identical"} and found.holds
    assert found.headline == "12 items asked again in 7 ways: every answer is identical"
    # Twelve spoken replies, twelve scores, their priors and some of the probes.
    assert all(36 <= way.asks == way.identical for way in found.ways)
    ways = by_name(found)
    assert ways["one by one"].largest_batch == 1
    assert ways["larger batches"].batches < ways["sample"].batches
    assert ways["larger batches"].largest_batch > ways["sample"].largest_batch
    assert {(e.condition, e.items, e.changed, e.move) for e in ways["resumed"].effects} == {
        (Condition.S2T, 12, 0, 0.0), (Condition.S2S, 12, 0, 0.0),
    }  # fmt: skip


def test_batch_mates_that_leak_are_caught_by_name(instrument: dict[str, str], tmp_path: Path) -> None:
    """Otherwise: an accuracy depends on the batch size, and nobody knows."""
    found = verified(tmp_path, request_of(tmp_path / "run", "leaks"))
    assert not found.holds
    assert [way.way for way in found.ways if way.verdict == "differs"] == ["larger batches"]
    leaking = by_name(found)["larger batches"]
    assert f"larger batches ({leaking.differ} of {leaking.asks})" in found.headline
    assert leaking.largest == pytest.approx(4.0)
    assert leaking.grades_changed > 0
    assert leaking.furthest is not None and leaking.furthest.move != 0
    one = next(one for one in leaking.differing if not one.variant)
    assert one.item.startswith("sum-") and one.before != one.after and one.nats == pytest.approx(4.0)


def test_a_model_that_is_not_deterministic_is_told_from_one_that_minds_batches(
    instrument: dict[str, str], tmp_path: Path
) -> None:
    """Otherwise: what is chance is blamed on the batches, and looked for there."""
    found = verified(tmp_path, request_of(tmp_path / "run", "drifts"))
    again = by_name(found)["again"]
    assert again.verdict == "differs" and again.differ == again.asks
    assert "not the same twice, even in the same batches" in found.headline
    assert any("not deterministic" in note for note in found.notes)


def test_drawn_replies_and_another_environment_are_told(instrument: dict[str, str], tmp_path: Path) -> None:
    """Otherwise: chance, or a new version of torch, is taken for a fault of the adapter."""
    request, plugins = request_of(tmp_path / "run", seed=7), open_catalogue().plugins
    run = read_results(evaluate(request, plugins, Silent(), InProcess))
    system = run.run.systems["model"]
    drawn = system.model_copy(update={"identity": {**system.identity, "parameters": {"temperature": 0.7}}})
    environment = {**run.run.environment, "torch": "1.0"}
    told = run.run.model_copy(update={"systems": {"model": drawn}, "environment": environment})
    ways = ask_in_every_way(
        replace(request, limit=4), plugins, Silent(), tmp_path / "run" / "audio", InProcess, InProcess
    )
    found = invariance(replace(run, run=told), ways)
    assert any("drawn at random (temperature 0.7, seed 7)" in note for note in found.notes)
    assert any("torch: 1.0 there, " in note for note in found.notes)


def test_rounding_is_within_the_tolerance(instrument: dict[str, str], tmp_path: Path) -> None:
    """Otherwise: every model on a real device fails, and the verdict says nothing."""
    request = request_of(tmp_path / "run", "rounds")
    found = verified(tmp_path, request)
    assert found.holds
    ways = by_name(found)
    assert ways["again"].verdict == "identical" and ways["one by one"].verdict == "within tolerance"
    assert 0 < (ways["one by one"].largest or 0) < found.tolerance == 5e-4
    assert "same within the tolerance, scores by at most" in found.headline
    assert not any(way.differing for way in found.ways)


class Order(InProcess):
    """Remembers the items of its batches."""

    def run(self, batches: Iterable[list[Work]]) -> Iterator[Answered]:
        self.given = [[work.key for work in batch] for batch in batches]
        asked = [list(batch) for batch in batches]
        return super().run(asked)


def test_the_order_is_turned_and_the_killed_are_taken_up_again(
    instrument: dict[str, str], tmp_path: Path
) -> None:
    """Otherwise: a way has a fine name and does what the others do."""
    InProcess.made.clear()
    verified(tmp_path, request_of(tmp_path / "run"), Order, Order)
    made = [one for one in InProcess.made if isinstance(one, Order)]
    # Seven ways, one of which is killed once.
    assert len(made) == 8 and all(one.closed for one in made)
    sample, again, _, _, backwards, two, killed, resumed = (one.given for one in made)
    assert again == sample
    assert backwards == [batch[::-1] for batch in reversed(sample)]
    assert sorted(key.item for batch in two for key in batch) == sorted(k.item for b in sample for k in b)
    done = {key for batch in killed[: len(killed) // 2] for key in batch}
    left = {key for batch in resumed for key in batch}
    assert done and left == {key for batch in killed for key in batch} - done


def test_two_workers_that_cannot_be_had_are_said_so(instrument: dict[str, str], tmp_path: Path) -> None:
    """Otherwise: a small card ends the whole verification, or a way that was not gone counts as passed."""

    def no_room(component: Component, request: Request) -> InProcess:
        raise SetupError("instrument could not be loaded:\nOutOfMemoryError: 2 GB are free")

    found = verified(tmp_path, request_of(tmp_path / "run"), two_workers=no_room)
    two = by_name(found)["two workers"]
    assert (two.verdict, two.asks) == ("not run", 0)
    assert two.why == "two workers cannot be had: OutOfMemoryError: 2 GB are free"
    assert found.holds and "in 6 ways" in found.headline


def test_a_way_that_would_change_nothing_is_not_run(instrument: dict[str, str], tmp_path: Path) -> None:
    """Otherwise: a sample that fits into one batch passes for proof that larger ones do no harm."""
    found = by_name(verified(tmp_path, request_of(tmp_path / "run", batch_tokens=100_000)))
    assert found["larger batches"].verdict == "not run" and "the same" in found["larger batches"].why
    assert found["one by one"].verdict == "identical"


def test_it_is_in_the_report_until_the_answers_are_others(instrument: dict[str, str], tmp_path: Path) -> None:
    """Otherwise: a certificate outlives the answers that it is about."""
    request = request_of(tmp_path / "run", "drifts")
    found = verified(tmp_path, request)
    write_invariance(tmp_path / "run", found)
    run = read_results(tmp_path / "run")
    report = with_invariance(degradation(run), run)
    assert report.invariance == found
    evaluate(replace(request, fresh=True), open_catalogue().plugins, Silent(), InProcess)
    fresh = read_results(tmp_path / "run")
    report = with_invariance(degradation(fresh), fresh)
    assert report.invariance is None
    assert any("verification.json is of answers that have changed" in note for note in report.notes)


def test_another_model_or_package_is_refused_by_name(instrument: dict[str, str], tmp_path: Path) -> None:
    """Otherwise: a new version of a package is taken for a batch that leaks."""
    request = request_of(tmp_path / "run")
    run = read_results(evaluate(request, open_catalogue().plugins, Silent(), InProcess)).run
    refuse_other_components(run, request)
    other = replace(request.systems["model"], package="speechzoo-instrument 9.9")
    with pytest.raises(SpeechzooError, match=r"model\.package: speechzoo-instrument 0\.1\.0 there, .* 9\.9"):
        refuse_other_components(run, replace(request, systems={"model": other}))
    with pytest.raises(SpeechzooError, match="dtype: float32 there, bfloat16 now"):
        refuse_other_components(run, replace(request, dtype="bfloat16"))


def test_a_run_that_cannot_be_asked_again_is_refused_at_once(
    instrument: dict[str, str], tmp_path: Path
) -> None:
    """Otherwise: a model is loaded for nothing, or a part of a run is taken for the whole."""
    folder, plugins = tmp_path / "run", open_catalogue().plugins
    evaluate(request_of(folder, shard=read_shard("1/2")), plugins, Silent(), InProcess)
    run = json.loads((folder / "run.json").read_text())

    def refusal(**changes: Any) -> str:
        (folder / "run.json").write_text(json.dumps({**run, **changes}))
        done = CliRunner().invoke(main, ["verify", str(folder)])
        assert done.exit_code == 2 and not (folder / "verification.json").exists()
        return " ".join(done.output.split())

    assert "this is shard 1/2: 'speechzoo merge' all of them" in refusal()
    model = run["systems"]["model"]
    imported = {"model": {**model, "dtype": "unknown"}}
    assert "there is no model to ask again" in refusal(shard=None, systems=imported)
    other = {"model": {**model, "identity": {**model["identity"], "revision": "0123"}}}
    assert "What differs: model.revision: 0123 there" in refusal(shard=None, systems=other)
    base = {"model": model, "base": model}
    assert "the run's base cannot be had" in refusal(shard=None, systems=base)


@pytest.mark.slow
def test_the_command_verifies_a_run_with_real_workers(speechzoo: Speechzoo, tmp_path: Path) -> None:
    """Otherwise: the command does not find the run's options again, or a model that leaks passes."""
    settings = ("--set", "count=24", "--set", "fault=leaks", "--set", "delay=0.01")
    asked = ("--model", "instrument", "--task", "arithmetic", "--conditions", "t2t", *settings)
    speechzoo("eval", *asked, "--batch-tokens", "60", "--limit", "20", "--out", "run")
    done = speechzoo("verify", "run", "--items", "12", code=1)
    # Under load one worker may have answered everything before the other is loaded.
    assert re.search(r"12 items asked again in [67] ways: answers differ: larger batches \(", done.stdout)
    assert "killed half way; taken up again" in done.stderr
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["invariance"] == json.loads((tmp_path / "run" / "verification.json").read_text())
    assert report["invariance"]["of_items"] == 20
    verdicts = {way["way"]: way["verdict"] for way in report["invariance"]["ways"]}
    assert verdicts.pop("larger batches") == "differs"
    assert set(verdicts.values()) <= {"identical", "not run"}
    assert "Invariance" in (tmp_path / "run" / "report.html").read_text()
    assert "answers differ: larger batches" in speechzoo("report", "run").stdout
