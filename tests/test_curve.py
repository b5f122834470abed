"""Many checkpoints of one training: which folders they are, their runs, and the curve over steps."""

import html
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from speechzoo.cli.checkpoints import LAST_NUMBER, find_checkpoints, usual_folder
from speechzoo.cli.wanted import Wanted
from speechzoo.errors import SpeechzooError
from speechzoo.gap.curve import Curve

PLUGIN = """
from speechzoo import Capability, ModelSpec, TaskSpec, hookimpl

@hookimpl
def speechzoo_models():
    able = frozenset({Capability.TEXT_IN, Capability.AUDIO_IN, Capability.SCORE_UNDER_TEXT,
                      Capability.SCORE_UNDER_AUDIO})
    return [ModelSpec(name="trained", target="speechzoo_trained_parts:Trained",
                      summary="knows what its folder says", capabilities=able)]

@hookimpl
def speechzoo_tasks():
    return [TaskSpec(name="pairs", target="speechzoo_trained_parts:Pairs", summary="right or wrong")]
"""
PARTS = """
import json
import numpy as np
from speechzoo import AudioClip, Condition, ContinuationScore, Grade, Item, ItemError, Metric
from speechzoo import ScoreAnswer, ScoreAsk, raw
from speechzoo.asks import dialogue_of
from speechzoo.dialogue import clips_of
from speechzoo.errors import SetupError

class Trained:
    def __init__(self, setup):
        path = setup.files() / "skill.json"
        if not path.exists():
            raise SetupError(f"{path.parent} is no checkpoint: skill.json is missing")
        self._skill = json.loads(path.read_text())
        with (setup.files().parent.parent / "loaded.log").open("a") as log:
            log.write(setup.files().name + "\\n")

    def score(self, asks):
        return [self._score(ask) for ask in asks]

    def _score(self, ask):
        number = int(ask.continuations[0].split()[0])
        clips = clips_of(dialogue_of(ask))
        if clips and number in self._skill.get("deaf", ()):
            raise ItemError("deaf", "nothing was heard")
        right = number < self._skill["speech" if clips else "text"]
        return ScoreAnswer((ContinuationScore(-1.0 if right else -3.0, 1), ContinuationScore(-2.0, 1)))

    def close(self):
        pass

class Pairs:
    version = "1"
    conditions = (Condition.T2T, Condition.S2T)
    metrics = (Metric("accuracy", chance=0.5), Metric("loss_right", higher_is_better=False, high=None))

    def __init__(self, setup):
        pass

    def items(self):
        for i in range(20):
            yield Item(f"pair-{i}", {"number": i}, {"subset": "even" if i % 2 == 0 else "odd"})

    def ask(self, item, condition):
        number = item.data["number"]
        tone = np.sin(np.arange(1600) * (number + 1) / 50).astype(np.float32)
        heard = AudioClip.from_samples(tone, 16_000) if condition.speech_in else f"pair {number}"
        return ScoreAsk(raw(heard), (f"{number} right", f"{number} wrong"))

    def grade(self, item, condition, answer):
        right, wrong = (score.mean_nll for score in answer.scores)
        return Grade({"accuracy": float(right < wrong), "loss_right": right})
"""
EVAL = ("eval", "-m", "trained", "-t", "pairs", "--out", "series")


def checkpoint(folder: Path, **skill: Any) -> None:
    folder.mkdir(parents=True)
    if skill:
        (folder / "skill.json").write_text(json.dumps(skill))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that makes the plugin ``trained`` an installed distribution."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "speechzoo_trained.py").write_text(PLUGIN)
    (folder / "speechzoo_trained_parts.py").write_text(PARTS)
    about = folder / "speechzoo_trained-0.1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: speechzoo-trained\nVersion: 0.1.0\n")
    (about / "entry_points.txt").write_text("[speechzoo]\ntrained = speechzoo_trained\n")
    return folder


def command(site: Path, folder: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Runs ``speechzoo ARGUMENTS`` in a folder."""
    done = subprocess.run(
        [sys.executable, "-m", "speechzoo", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(site), "SPEECHZOO_PLUGINS": "trained", "COLUMNS": "100"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stderr + done.stdout
    return done


@pytest.fixture(scope="module")
def series(site: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """Four checkpoints, one of them broken, evaluated: the folder, and what was printed."""
    folder = tmp_path_factory.mktemp("training")
    checkpoint(folder / "out" / "ckpt_9_100_1", text=19, speech=16, deaf=[2])
    checkpoint(folder / "out" / "ckpt_9_20_2", text=12, speech=8)
    checkpoint(folder / "out" / "ckpt_9_3_3", text=4, speech=3)
    checkpoint(folder / "out" / "ckpt_9_40_4")
    done = command(
        site, folder, *EVAL, "--checkpoints", "out/ckpt_*", "--step", r"ckpt_\d+_(\d+)_", "--max-errors", "1",
        code=3,
    )  # fmt: skip
    return folder, done.stdout, done.stderr


def read_curve(folder: Path) -> Curve:
    return Curve.model_validate_json((folder / "series" / "curve.json").read_text())


def test_checkpoints_are_run_in_the_order_of_their_steps(series: tuple[Path, str, str]) -> None:
    """Otherwise: step 100 comes before step 20, and a curve goes back and forth."""
    folder, _, told = series
    assert [point.step for point in read_curve(folder).lines[0].points] == [3, 20, 100]
    assert re.findall(r"^step (\d+) \(\d of 4\): trained@out", told, re.M) == ["3", "20", "40", "100"]
    runs = json.loads((folder / "series" / "checkpoints.json").read_text())["checkpoints"]
    assert runs[0] == {"step": 3, "folder": "out/ckpt_9_3_3", "run": "step-3", "failure": None}


def test_a_checkpoint_that_cannot_be_loaded_does_not_stop_the_others(series: tuple[Path, str, str]) -> None:
    """Otherwise: one bad file ends a night's work, or is missing from the curve without a word."""
    folder, shown, told = series
    (missing,) = read_curve(folder).missing
    assert missing.step == 40 and "ckpt_9_40_4 is no checkpoint: skill.json is missing" in missing.reason
    assert "step 40 (3 of 4) could not be run" in told
    assert "Step 40 is not in the curve" in " ".join(shown.split())
    assert "skill.json is missing" in (folder / "series" / "curve.html").read_text()


def test_every_run_has_its_report(series: tuple[Path, str, str]) -> None:
    """Otherwise: nobody can look at the items behind a point of the curve."""
    folder, _, _ = series
    for step in (3, 20, 100):
        assert (folder / "series" / f"step-{step}" / "report.html").exists()


def test_the_values_are_those_of_each_run_on_the_common_items(series: tuple[Path, str, str]) -> None:
    """Otherwise: a fall of the curve may be another choice of items."""
    folder, _, _ = series
    found = read_curve(folder)
    whole = found.lines[0]
    assert (whole.items_planned, whole.items_used, whole.ends) == (20, 19, ("T", "S"))
    assert any("19 of 20 items" in warning and "1 fell out" in warning for warning in found.warnings)
    common = [own for own in range(20) if own != 2]
    for point, skill in zip(whole.points, ((4, 3), (12, 8), (19, 16)), strict=True):
        for name, known in zip(("T", "S"), skill, strict=True):
            value = point.stages[name]
            right = sum(own < known for own in common)
            assert value.estimate is not None and value.estimate.value == pytest.approx(right / 19)
            assert value.others["loss_right"].value == pytest.approx((right + 3 * (19 - right)) / 19)
        lost = sum(skill[1] <= own < skill[0] for own in common)
        assert point.drop is not None and point.drop.value == pytest.approx(lost / 19)
    assert whole.points[2].stages["S"].invalid == {"deaf": 1}
    assert [line.subset for line in found.lines] == [None, "even", "odd"]
    assert [line.items_used for line in found.lines] == [19, 9, 10]


def test_the_same_command_computes_nothing_again(series: tuple[Path, str, str], site: Path) -> None:
    """Otherwise: looking at a finished series, or adding a checkpoint to it, costs the GPU again."""
    folder, _, _ = series
    loaded = (folder / "loaded.log").read_text().splitlines()
    assert sorted(loaded) == ["ckpt_9_100_1", "ckpt_9_20_2", "ckpt_9_3_3"]
    before = read_curve(folder)
    arguments = (*EVAL, "--checkpoints", "out/ckpt_*", "--step", r"ckpt_\d+_(\d+)_", "--max-errors", "1")
    command(site, folder, *arguments, code=3)
    assert (folder / "loaded.log").read_text().splitlines() == loaded
    assert read_curve(folder) == before


def test_a_series_goes_on_when_old_checkpoints_are_gone(
    series: tuple[Path, str, str], site: Path, tmp_path: Path
) -> None:
    """Otherwise: a training that keeps its last checkpoints alone has no curve; or a mended one stays out."""
    folder = tmp_path / "training"
    shutil.copytree(series[0], folder)
    shutil.rmtree(folder / "out" / "ckpt_9_3_3")
    (folder / "out" / "ckpt_9_40_4" / "skill.json").write_text(json.dumps({"text": 15, "speech": 11}))
    arguments = (*EVAL, "--checkpoints", "out/ckpt_*", "--step", r"ckpt_\d+_(\d+)_")
    command(site, folder, *arguments, "--max-errors", "1")
    found = read_curve(folder)
    assert [point.step for point in found.lines[0].points] == [3, 20, 40, 100] and not found.missing


def test_invalid_items_of_one_checkpoint_are_told_by_the_exit_code(site: Path, tmp_path: Path) -> None:
    """Otherwise: a script takes a checkpoint with hardly an answer for a good one."""
    checkpoint(tmp_path / "out" / "c1", text=9, speech=4, deaf=list(range(20)))
    checkpoint(tmp_path / "out" / "c2", text=9, speech=4)
    done = command(site, tmp_path, *EVAL, "--checkpoints", "out/c*", code=1)
    assert "20 of 40 answers are invalid" in done.stderr
    found = read_curve(tmp_path)
    assert any("Step 1: none of 20 items is valid under S" in warning for warning in found.warnings)
    first, second = found.lines[0].points
    assert first.stages["S"].estimate is None and first.drop is None and second.drop is not None


def test_the_curve_is_made_again_without_the_models(
    series: tuple[Path, str, str], site: Path, tmp_path: Path
) -> None:
    """Otherwise: a report that is lost costs the checkpoints, which may be gone."""
    folder = tmp_path / "elsewhere"
    shutil.copytree(series[0] / "series", folder / "series")
    before = read_curve(folder)
    for path in (*folder.rglob("curve.*"), *folder.rglob("report.*")):
        path.unlink()
    shown = command(site, folder, "report", "series")
    assert read_curve(folder) == before
    assert (folder / "series" / "step-20" / "report.json").exists()
    assert shown.stdout == series[1]


def test_an_interrupted_series_has_a_curve_of_what_is_finished(
    series: tuple[Path, str, str], site: Path, tmp_path: Path
) -> None:
    """Otherwise: half a run takes the other half of the items from every checkpoint."""
    folder = tmp_path / "elsewhere"
    shutil.copytree(series[0] / "series", folder / "series")
    answers = folder / "series" / "step-20" / "answers.jsonl"
    answers.write_text("".join(answers.read_text().splitlines(keepends=True)[:10]))
    shutil.rmtree(folder / "series" / "step-100")
    command(site, folder, "report", "series")
    found = read_curve(folder)
    assert [point.step for point in found.lines[0].points] == [3]
    reasons = {missing.step: missing.reason for missing in found.missing}
    assert "not finished" in reasons[20] and "not been evaluated yet" in reasons[100]


@pytest.mark.parametrize(
    ("pattern", "step", "told"),
    [
        ("nowhere/*", LAST_NUMBER, "'nowhere/[*]' matches no folder"),
        ("out/*", LAST_NUMBER, "finds no whole number in out/final, out/last;"),
        ("out/ckpt*", r"ckpt_(\D+)", "finds no whole number in out/ckpt_10, out/ckpt_12, out/ckpt_2;"),
        ("out/ckpt*", r"ckpt_(\d)", "the same step in several folders: 1 in out/ckpt_10, out/ckpt_12;"),
        ("out/ckpt*", "(", "is no regular expression"),
    ],
)
def test_folders_without_a_step_of_their_own_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, step: str, told: str
) -> None:
    """Otherwise: two checkpoints fall into one point, or one is left out without a word."""
    for name in ("ckpt_10", "ckpt_12", "ckpt_2", "final", "last"):
        checkpoint(tmp_path / "out" / name)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpeechzooError, match=told):
        find_checkpoints(pattern, step)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--checkpoints", "out/*"), "finds no whole number in out/final"),
        (("--step", "x", "-m", "trained@out"), "--step is about --checkpoints"),
        (("--checkpoints", "out/c*", "-m", "trained@out/c1"), "names the adapter alone"),
        (("--checkpoints", "out/c*", "-m", "untrained"), "untrained"),
    ],
)
def test_bad_names_are_told_before_anything_is_run(
    site: Path, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    """Otherwise: a typo costs a night."""
    for name in ("c1", "final"):
        checkpoint(tmp_path / "out" / name, text=1, speech=1)
    assert told in command(site, tmp_path, *EVAL, *arguments, code=2).stderr
    assert not (tmp_path / "series").exists() and not (tmp_path / "loaded.log").exists()


def test_a_signature_and_checkpoints_exclude_each_other(site: Path, tmp_path: Path) -> None:
    """Otherwise: one of the two would be ignored."""
    line = "task:pairs|model:trained"
    done = command(site, tmp_path, "eval", "--signature", line, "--checkpoints", "out/*", code=2)
    assert "leave one of the two out" in done.stderr


def test_another_series_is_refused(series: tuple[Path, str, str], site: Path) -> None:
    """Otherwise: the points of two trainings are joined to one line."""
    folder, _, _ = series
    checkpoint(folder / "other" / "ckpt_9_20_2", text=1, speech=1)
    before = (folder / "series" / "checkpoints.json").read_text()
    arguments = (*EVAL, "--checkpoints", "other/ckpt_*", "--step", r"ckpt_\d+_(\d+)_")
    done = command(site, folder, *arguments, code=2)
    assert "step 20: out/ckpt_9_20_2 there, other/ckpt_9_20_2 now" in done.stderr
    assert (folder / "series" / "checkpoints.json").read_text() == before


def test_a_series_has_a_folder_of_its_own() -> None:
    """Otherwise: without --out two series meet in one folder, or one never finds its own again."""
    wanted = Wanted("trained", "pairs/odd", None, {}, 4, None, None, 0)
    others = [
        replace(wanted, seed=1),
        replace(wanted, limit=None),
        replace(wanted, settings={"ties": "half"}),
    ]
    folders = [usual_folder(own, "out/c*", "cpu") for own in (wanted, *others)]
    folders += [usual_folder(wanted, "new/c*", "cpu"), usual_folder(wanted, "out/c*", "cuda:1")]
    assert len(set(folders)) == 6
    assert folders[0] == usual_folder(wanted, str(Path("out/c*").absolute()), "cpu")
    assert re.fullmatch(r"runs/trained--pairs_odd--checkpoints-[0-9a-f]{8}--limit4", str(folders[0]))


def test_the_usual_step_is_the_last_number_of_the_name(tmp_path: Path) -> None:
    """Otherwise: the commonest names need a regular expression."""
    for name in ("checkpoint-1000", "global_step20.ckpt", "v2-step-7-ema"):
        (tmp_path / "run7" / name).mkdir(parents=True)
    (tmp_path / "run7" / "log 3").write_text("not a folder")
    found = find_checkpoints(str(tmp_path / "run7" / "*"), LAST_NUMBER)
    assert [own.step for own in found] == [7, 20, 1000]
    (tmp_path / "run7" / "final").mkdir()
    with pytest.raises(SpeechzooError, match="final"):
        find_checkpoints(str(tmp_path / "run7" / "*"), LAST_NUMBER)


def test_the_json_keeps_to_its_schema(series: tuple[Path, str, str]) -> None:
    """Otherwise: whoever plots the curve elsewhere reads something else than is promised."""
    text = (series[0] / "series" / "curve.json").read_text()
    schema = Curve.model_json_schema(mode="serialization")
    jsonschema.validate(json.loads(text), schema)
    published = Path(__file__).parents[1] / "docs" / "curve.schema.json"
    assert json.loads(published.read_text()) == json.loads(json.dumps(schema))
    assert Curve.model_validate_json(text).model_dump_json(indent=1) + "\n" == text


def test_the_page_is_whole_and_inert(series: tuple[Path, str, str]) -> None:
    """Otherwise: the page needs the network or runs what a checkpoint's error message holds."""
    page = html.unescape((series[0] / "series" / "curve.html").read_text())
    assert "<script" not in page and "http" not in page.replace("http-equiv", "")
    assert "default-src 'none'" in page
    for title in ("accuracy, %", "drop T − S, %", "loss_right"):
        assert f"<figcaption>{title}</figcaption>" in page
    whole = read_curve(series[0]).lines[0]
    assert whole.points[1].stages["T"].estimate is not None
    assert f"{100 * whole.points[1].stages['T'].estimate.value:.1f}" in page
