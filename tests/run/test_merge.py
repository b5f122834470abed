"""Merging shards: the same report as one call, and nothing that does not belong together."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from speechzoo import AudioClip, Failure
from speechzoo.catalogue import open_catalogue
from speechzoo.cli.eval import command as eval_command
from speechzoo.cli.merge import command
from speechzoo.errors import SpeechzooError
from speechzoo.gap import degradation
from speechzoo.plugins import Plugins
from speechzoo.run.evaluate import MakeExecutor, evaluate
from speechzoo.run.executors import Answered
from speechzoo.run.merge import merge
from speechzoo.run.plan import Work
from speechzoo.run.progress import Silent
from speechzoo.run.records import AnswerRecord, JudgementRecord, TranscriptRecord
from speechzoo.run.request import Request
from speechzoo.run.results import read_results
from speechzoo.run.shard import read_shard
from speechzoo.run.store import Store, read_lines, to_line
from tests.run.in_process import InProcess


def run(
    folder: Path,
    shard: str | None = None,
    bias: str = "0.0",
    wording: str = "is",
    make: MakeExecutor = InProcess,
    **asked: Any,
) -> Path:
    """A run, or a shard of it, in a folder of this name."""
    catalogue = open_catalogue()
    request = Request(
        systems={"model": catalogue.model("instrument", {"bias": bias})},
        task=catalogue.task("arithmetic", {"count": "24", "wording": wording}),
        shard=read_shard(shard) if shard else None,
        out=folder,
        **asked,
    )
    return evaluate(request, catalogue.plugins, Silent(), make)


@pytest.fixture
def shards(instrument: object, tmp_path: Path) -> list[Path]:
    """The folders of three shards, all finished."""
    return [run(tmp_path / f"part-{number}", f"{number}/3") for number in (1, 2, 3)]


def answers(folder: Path) -> list[AnswerRecord]:
    return list(read_lines(folder / "answers.jsonl", AnswerRecord))


def report(folder: Path) -> dict[str, Any]:
    found = degradation(read_results(folder)).model_dump(mode="json")
    del found["run"]["created"]
    return found


def test_shards_together_are_the_whole_run(tmp_path: Path, shards: list[Path]) -> None:
    """Otherwise: the result depends on how many jobs made it."""
    whole = run(tmp_path / "whole")
    assert merge(tmp_path / "merged", shards[::-1]) == []
    assert report(tmp_path / "merged") == report(whole)
    audio = {path.name for path in (whole / "audio").iterdir()}
    assert {path.name for path in (tmp_path / "merged" / "audio").iterdir()} == audio != set()
    # The folder is a run like any other: there is nothing left to ask.
    InProcess.made.clear()
    run(tmp_path / "merged")
    assert not InProcess.made


def test_a_shard_is_of_its_own_items_alone(tmp_path: Path, shards: list[Path]) -> None:
    """Otherwise: a part is taken for the whole."""
    items = [{record.key.item for record in answers(folder)} for folder in shards]
    assert sum(map(len, items)) == len(set.union(*items)) == 24 and all(items)
    with pytest.raises(SpeechzooError, match="shard: 2/3 there, 1/3 now"):
        run(shards[1], "1/3")
    stage = report(shards[1])["stages"][0]
    assert stage["planned"] == 24 and stage["invalid"] == {"not_answered": 24 - len(items[1])}


def test_missing_and_unfinished_shards_are_named(tmp_path: Path, shards: list[Path]) -> None:
    """Otherwise: a job that never ran is told as bad answers, or goes unnoticed."""
    with pytest.raises(SpeechzooError, match=r"2 of 3 shards are missing: 1/3, 3/3[^']*'.*' --shard 1/3"):
        merge(tmp_path / "merged", [shards[1]])
    (shards[0] / "grades.jsonl").unlink()
    with pytest.raises(SpeechzooError, match=r"part-1 \(shard 1/3\) is not finished, \d+ grades are missing"):
        merge(tmp_path / "merged", shards)
    file = shards[1] / "answers.jsonl"
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-3]))
    with pytest.raises(SpeechzooError, match=r"part-2 \(shard 2/3\) is not finished, 3 answers are missing"):
        merge(tmp_path / "merged", [*shards[1:], run(tmp_path / "again", "1/3")])
    assert not (tmp_path / "merged").exists()


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"bias": "1.0"}, "set: task.count=24 there, model.bias=1.0,task.count=24 here"),
        ({"seed": 1}, "seed: 0 there, 1 here"),
        ({"limit": 20}, "limit: None there, 20 here"),
        ({"wording": "gives"}, "set: task.count=24 there, task.count=24,task.wording=gives here"),
        ({"shard": "2/4"}, "number of shards: 3 there, 4 here"),
    ],
)
def test_shards_of_another_run_are_refused(
    instrument: object, tmp_path: Path, other: dict[str, Any], told: str
) -> None:
    """Otherwise: answers of two models, or to two data sets, are one number."""
    parts = [run(tmp_path / "part-1", "1/3"), run(tmp_path / "part-2", **{"shard": "2/3", **other})]
    with pytest.raises(SpeechzooError, match=r"part-2 is of another run than .*part-1") as caught:
        merge(tmp_path / "merged", parts)
    assert told in str(caught.value)


def test_runs_that_are_there_are_left_alone(tmp_path: Path, shards: list[Path]) -> None:
    """Otherwise: a merge overwrites a run, or counts one run into another."""
    whole = run(tmp_path / "whole")
    before = (whole / "answers.jsonl").read_bytes()
    with pytest.raises(SpeechzooError, match="whole holds a run already"):
        merge(whole, shards)
    with pytest.raises(SpeechzooError, match="whole is a whole run, no shard"):
        merge(tmp_path / "merged", [whole, *shards])
    assert (whole / "answers.jsonl").read_bytes() == before


def test_a_job_that_ran_twice_counts_once_and_must_agree(tmp_path: Path, shards: list[Path]) -> None:
    """Otherwise: a requeued job doubles its items, or hides that the model is not deterministic."""
    twice = Path(shutil.copytree(shards[0], tmp_path / "twice"))
    assert merge(tmp_path / "merged", [*shards, twice]) == []
    keys = [record.key for record in answers(tmp_path / "merged")]
    assert len(keys) == len(set(keys)) == sum(len(answers(folder)) for folder in shards)

    first, second, *rest = answers(twice)
    timed = first.model_copy(update={"answer": {**first.answer, "timings": {"model": 1.0}}})
    other = second.model_copy(update={"answer": {"kind": "failure", "reason": "other", "detail": ""}})
    (twice / "answers.jsonl").write_bytes(b"".join(map(to_line, [timed, other, *rest])))
    run(twice, "1/3")  # grades what changed
    (told,) = merge(tmp_path / "differing", [*shards, twice])
    assert told.startswith("1 asks were answered differently by two jobs")
    assert f"{second.key.item!r} ({second.key.way})" in told
    differing = report(tmp_path / "differing")
    assert differing["run"]["notes"][-1] == told
    assert differing["stages"] == report(tmp_path / "merged")["stages"]


class Dying(InProcess):
    """A machine whose workers die over what has a digest that begins like this."""

    of = ""

    def run(self, batches: Iterable[list[Work]]) -> Iterator[Answered]:
        for done in super().run(batches):
            yield [
                (work, Failure("worker_died") if work.digest[0] in self.of else answer)
                for work, answer in done
            ]


class DyingOften(Dying):
    of = "01234567"


class DyingOtherwise(Dying):
    of = "6789ab"


@pytest.mark.parametrize("first", [True, False])
def test_an_answer_counts_more_than_a_machine_that_failed(
    tmp_path: Path, shards: list[Path], first: bool
) -> None:
    """Otherwise: the order of arguments decides whether a job on a bad node throws good answers away."""
    dead = run(tmp_path / "dead", "1/3", make=DyingOften)
    assert report(dead)["stages"] != report(shards[0])["stages"]
    assert merge(tmp_path / "merged", [dead, *shards] if first else [*shards, dead]) == []
    assert report(tmp_path / "merged") == report(run(tmp_path / "whole"))


def test_what_was_graded_together_stays_together(tmp_path: Path, shards: list[Path]) -> None:
    """Otherwise: an answer of one job meets the prior of another, and what was graded has no grade."""
    bad = [run(tmp_path / make.__name__, "1/3", make=make) for make in (DyingOften, DyingOtherwise)]
    assert merge(tmp_path / "merged", [*bad, *shards[1:]]) == []
    outcomes = [result.outcome for result in read_results(tmp_path / "merged").results.values()]
    failed = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    assert {failure.reason for failure in failed} == {"worker_died"}
    of_one = [result.outcome for result in read_results(bad[0]).results.values()]
    assert len(failed) < sum(isinstance(o, Failure) and o.reason == "worker_died" for o in of_one)


Keep = Callable[..., None]


@pytest.fixture
def keep_clips(instrument: object, monkeypatch: pytest.MonkeyPatch) -> Keep:
    """Has the task keep its clips in a folder, maybe such of another pitch."""
    import speechzoo_instrument_parts as parts

    made = parts.tone

    def keep(folder: Path, change: float = 0.0) -> None:
        folder.mkdir(exist_ok=True)

        def tone(pitch: float) -> AudioClip:
            path = folder / f"{pitch}.flac"
            path.write_bytes(made(pitch + change).encoded())
            return AudioClip.from_file(path)

        monkeypatch.setattr(parts, "tone", tone)

    return keep


def test_machines_may_keep_the_clips_in_other_places(tmp_path: Path, keep_clips: Keep) -> None:
    """Otherwise: jobs on machines whose home folders differ cannot be merged after all have run."""
    keep_clips(tmp_path / "here")
    parts = [run(tmp_path / "part-1", "1/2")]
    whole = run(tmp_path / "whole")
    keep_clips(tmp_path / "there")
    parts += [run(tmp_path / "part-2", "2/2")]
    assert merge(tmp_path / "merged", parts) == []
    assert report(tmp_path / "merged") == report(whole)


def test_other_recordings_of_the_same_name_are_refused(tmp_path: Path, keep_clips: Keep) -> None:
    """Otherwise: half of a number is about clips that were exchanged in between."""
    keep_clips(tmp_path / "here")
    parts = [run(tmp_path / "part-1", "1/2")]
    keep_clips(tmp_path / "here", change=0.5)
    parts += [run(tmp_path / "part-2", "2/2")]
    with pytest.raises(SpeechzooError, match="items: other items, or the same with other content"):
        merge(tmp_path / "merged", parts)


@pytest.mark.parametrize("step", ["add_grades", "write_plan", "write_transcripts"])
def test_an_interrupted_merge_leaves_nothing(
    instrument: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Otherwise: the next one counts every judgement and its cost twice, or has no transcripts."""
    monkeypatch.setenv("SPEECHZOO_CACHE", str(tmp_path / "cache"))
    ears = open_catalogue().service("instrument-ears")
    parts = [run(tmp_path / "runs" / f"part-{n}", f"{n}/2", transcriber=ears) for n in (1, 2)]
    for part in parts:
        judged = JudgementRecord(basis=part.name, judge="judge", answer=None, raw="?", cost=1.0)
        (part / "judgements.jsonl").write_bytes(to_line(judged))
    out = tmp_path / "runs" / "merged"

    def interrupt(*given: object) -> None:
        real(*given)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        real = getattr(Store, step)
        patch.setattr(Store, step, interrupt)
        with pytest.raises(KeyboardInterrupt):
            merge(out, parts)
    assert sorted((tmp_path / "runs").iterdir()) == parts
    merge(out, parts)
    assert len(list(read_lines(out / "judgements.jsonl", JudgementRecord))) == 2
    assert len(list(read_lines(out / "transcripts.jsonl", TranscriptRecord))) == 24


def test_what_lies_in_the_folder_is_not_counted_in(tmp_path: Path, shards: list[Path]) -> None:
    """Otherwise: what is left of something else becomes a part of the run."""
    (tmp_path / "merged").mkdir()
    (tmp_path / "merged" / "judgements.jsonl").touch()
    with pytest.raises(SpeechzooError, match="merged is not empty; name a new folder"):
        merge(tmp_path / "merged", shards)
    (tmp_path / "merged" / "judgements.jsonl").unlink()
    assert merge(tmp_path / "merged", shards) == []


def test_a_merged_run_ends_as_any_other(
    instrument: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise: a job array goes on after a run of failures as if it were good, or nobody is told of it."""
    parts = [str(run(tmp_path / f"part-{n}", f"{n}/2", make=DyingOften)) for n in (1, 2)]
    told: list[tuple[str, Path]] = []
    monkeypatch.setattr(Plugins, "emit", lambda _, event, folder, report: told.append((event, folder)))
    done = CliRunner().invoke(command, [str(tmp_path / "bad"), *parts])
    assert done.exit_code == 1 and "answers are invalid, allowed are 5%" in done.output
    assert (tmp_path / "bad" / "report.html").exists()
    done = CliRunner().invoke(command, [str(tmp_path / "good"), *parts, "--max-errors", "100%"])
    assert done.exit_code == 0, done.output
    assert told == [("speechzoo_run_finished", tmp_path / name) for name in ("bad", "good")]


def test_the_command_line_divides_and_merges(
    speechzoo: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    """Otherwise: a job array ends without a report, or with one of a part."""
    ask = (
        "eval",
        "--model",
        "instrument",
        "--task",
        "arithmetic",
        "--set",
        "count=24",
        "--conditions",
        "t2t",
    )
    assert "speechzoo merge" in speechzoo(*ask, "--shard", "1/2", "--out", "part-1").stdout
    assert not (tmp_path / "part-1" / "report.json").exists()
    told = speechzoo("merge", "merged", "part-1", code=2).stderr
    assert "1 of 2 shards are missing: 2/2" in told
    # What it says does it.
    _, signature, rest = told.split("speechzoo eval ")[1].split("'")
    speechzoo("eval", "--signature", signature, *rest.split(), "--out", "part-2")
    speechzoo("merge", "merged", "part-1", "part-2")
    stage = json.loads((tmp_path / "merged" / "report.json").read_text())["stages"][0]
    assert stage["valid"] == 24
    refused = CliRunner().invoke(eval_command, [*ask[1:], "--shard", "1/2", "--checkpoints", "x*"])
    assert refused.exit_code == 2 and "one run" in refused.output
