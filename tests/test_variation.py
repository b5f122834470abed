"""The same items heard in several ways: which cells there are, their runs, and what they show together."""

import html
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner
from rich.console import Console

from speechzoo.channel import Channel
from speechzoo.cli.eval import command as eval_command
from speechzoo.cli.vary import Cell, Factorial, cells_of, open_factorial, read_factors, usual_folder
from speechzoo.cli.wanted import Wanted, from_signature
from speechzoo.errors import SetupError, SpeechzooError
from speechzoo.gap.variation import Variation, variation
from speechzoo.plugins import discover
from speechzoo.report.variation import render
from speechzoo.report.variation_tables import print_variation
from speechzoo.run.records import Results
from speechzoo.run.results import read_results
from tests.report.factory import S, T, item, results, scored

PLUGIN = """
from speechzoo import Capability, ModelSpec, ServiceSpec, TaskSpec, hookimpl

@hookimpl
def speechzoo_models():
    able = frozenset({Capability.TEXT_IN, Capability.AUDIO_IN, Capability.SCORE_UNDER_TEXT,
                      Capability.SCORE_UNDER_AUDIO})
    return [ModelSpec(name="listener", target="speechzoo_listener_parts:Listener",
                      summary="hears a tone in noise", capabilities=able)]

@hookimpl
def speechzoo_tasks():
    return [TaskSpec(name="tones", target="speechzoo_listener_parts:Tones", summary="right or wrong")]

@hookimpl
def speechzoo_services():
    return [ServiceSpec(name="low-voice", kind="voice", target="speechzoo_listener_parts:LowVoice",
                        summary="speaks a deep tone"),
            ServiceSpec(name="ear", kind="transcriber", target="speechzoo_listener_parts:Ear",
                        summary="hears nothing")]
"""
PARTS = """
from pathlib import Path
import numpy as np
from speechzoo import AudioClip, Condition, ContinuationScore, Grade, Item, Metric, ScoreAnswer, ScoreAsk
from speechzoo import raw
from speechzoo.asks import dialogue_of
from speechzoo.dialogue import clips_of

RATE = 16_000

def tone(hertz, text):
    wave = np.sin(2 * np.pi * hertz * np.arange(RATE // 2) / RATE).astype(np.float32)
    return AudioClip.from_samples(0.1 * wave, RATE, text)

class Listener:
    '''Right on pairs below 40, and below 40 less 3 for each dB that a tone of 500 Hz is under 25 dB.'''

    def __init__(self, setup):
        pass

    def score(self, asks):
        with Path("asked.log").open("a") as log:
            log.write("asked\\n" * len(asks))
        return [self._score(ask) for ask in asks]

    def _score(self, ask):
        clips = clips_of(dialogue_of(ask))
        number = int(ask.continuations[0].split()[0])
        skill = 40 if not clips else 40 - 3 * max(0.0, 25 - self._decibels(clips[0]))
        right = number < skill
        heard = f"pair {number}" if right else "hiss"
        return ScoreAnswer((ContinuationScore(-1.0 if right else -3.0, 1), ContinuationScore(-2.0, 1)),
                           heard if clips else None)

    def _decibels(self, clip):
        power = np.square(np.abs(np.fft.rfft(clip.samples())))
        frequencies = np.fft.rfftfreq(len(clip.samples()), 1 / clip.header.rate)
        near = np.abs(frequencies - 500) < 20
        return 10 * np.log10(power[near].sum() / max(power[~near].sum(), 1e-9))

    def close(self):
        pass

class LowVoice:
    def __init__(self, setup):
        pass

    def speak(self, texts):
        return [tone(120, text) for text in texts]

    def close(self):
        pass

class Ear:
    def __init__(self, setup):
        pass

    def transcribe(self, clips):
        return ["hiss" for _ in clips]

    def close(self):
        pass

class Tones:
    version = "1"
    conditions = (Condition.T2T, Condition.S2T)
    metrics = (Metric("accuracy", chance=0.5),)

    def __init__(self, setup):
        pass

    def items(self):
        for i in range(40):
            yield Item(f"pair-{i}", {"number": i})

    def ask(self, item, condition):
        number = item.data["number"]
        # What is said in the last clip nobody knows.
        heard = tone(500, f"pair {number}" if number < 39 else None)
        context = heard if condition.speech_in else f"pair {number}"
        return ScoreAsk(raw(context), (f"{number} right", f"{number} wrong"))

    def grade(self, item, condition, answer):
        right, wrong = (score.mean_nll for score in answer.scores)
        return Grade({"accuracy": float(right < wrong)})
"""
EVAL = ("eval", "-m", "listener", "-t", "tones", "--out", "cells")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that makes the plugin ``listener`` an installed distribution."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "speechzoo_listener.py").write_text(PLUGIN)
    (folder / "speechzoo_listener_parts.py").write_text(PARTS)
    about = folder / "speechzoo_listener-0.1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: speechzoo-listener\nVersion: 0.1.0\n")
    (about / "entry_points.txt").write_text("[speechzoo]\nlistener = speechzoo_listener\n")
    return folder


def command(site: Path, folder: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Runs ``speechzoo ARGUMENTS`` in a folder."""
    done = subprocess.run(
        [sys.executable, "-m", "speechzoo", *arguments],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(site),
            "SPEECHZOO_PLUGINS": "listener",
            "SPEECHZOO_CACHE": str(folder / "cache"),
            "COLUMNS": "100",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stderr + done.stdout
    return done


@pytest.fixture(scope="module")
def sweep(site: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """Two levels of noise: the folder, and what was printed."""
    folder = tmp_path_factory.mktemp("sweep")
    done = command(site, folder, *EVAL, "--vary", "snr=0,20")
    return folder, done.stdout, done.stderr


def read_variation(folder: Path) -> Variation:
    return Variation.model_validate_json((folder / "cells" / "variation.json").read_text())


def asked(folder: Path) -> int:
    return len((folder / "asked.log").read_text().splitlines())


def test_every_cell_is_a_run_of_its_own_over_the_same_items(sweep: tuple[Path, str, str]) -> None:
    """Otherwise a loss is one of other items, or the noise is on the baseline too."""
    folder, _, told = sweep
    assert "3 cells: clean; snr=0,noise=white; snr=20,noise=white" in told
    assert [told.index(f"({place} of 3): listener") for place in (1, 2, 3)]
    (table,) = read_variation(folder).tables
    assert {cell.run: cell.name for cell in table.cells} == {
        "clean": "clean",
        "snr-0_noise-white": "snr=0",
        "snr-20_noise-white": "snr=20",
    }
    scores = {cell.name: cell.scores["S"] for cell in table.cells}
    values = {name: score.estimate.value for name, score in scores.items() if score.estimate}
    assert values["clean"] == 1.0 > values["snr=20"] > values["snr=0"] == 0.0
    assert table.items_used == 40 and all(score.planned == 40 for score in scores.values())


def test_text_is_asked_once(sweep: tuple[Path, str, str]) -> None:
    """Otherwise every cell asks again what no channel can change."""
    run = {own: read_results(sweep[0] / "cells" / own) for own in ("clean", "snr-0_noise-white")}
    assert [str(own) for own in run["clean"].run.conditions] == ["t2t", "s2t"]
    assert [str(own) for own in run["snr-0_noise-white"].run.conditions] == ["s2t"]
    (table,) = read_variation(sweep[0]).tables
    assert [(own.name, own.estimate.value) for own in table.references] == [("T", 1.0)]


def test_what_was_heard_is_told_by_cell(sweep: tuple[Path, str, str]) -> None:
    """Otherwise nobody can tell bad ears from bad thinking."""
    rates = {cell.name: cell.scores["S"].wer for cell in read_variation(sweep[0]).tables[0].cells}
    # Of the last clip nobody knows what is said.
    assert rates["clean"] == 0.0 and rates["snr=0"] == 1.0


def test_the_report_of_a_cell_says_what_was_heard(sweep: tuple[Path, str, str]) -> None:
    """Otherwise a cell's report, read alone, is taken for the model's usual score."""
    report = json.loads((sweep[0] / "cells" / "snr-0_noise-white" / "report.json").read_text())
    assert report["run"]["channel"] == "snr=0,noise=white"
    assert "Every clip is heard through snr=0,noise=white." in report["run"]["notes"]


def test_levels_are_added_and_nothing_is_asked_again(
    sweep: tuple[Path, str, str], site: Path, tmp_path: Path
) -> None:
    """Otherwise one more level costs the whole sweep again."""
    folder = tmp_path / "copy"
    subprocess.run(["cp", "-r", sweep[0], folder], check=True)
    before = asked(folder)
    done = command(site, folder, *EVAL, "--vary", "snr=0,10")
    cell = asked(folder) - before
    assert 40 <= cell <= 112  # one cell: its items, their priors and its probes
    (table,) = read_variation(folder).tables
    (factor,) = table.factors
    assert factor.levels == ("none", "20", "10", "0") and factor.ordered
    assert [*factor.sweeps[0].cells.values()] == ["clean", "snr=20", "snr=10", "snr=0"]
    assert "a loss is shown at" in done.stdout
    again = asked(folder)
    command(site, folder, "report", "cells")
    assert asked(folder) == again and read_variation(folder).tables == (table,)


def test_a_signature_reproduces_its_cell(sweep: tuple[Path, str, str], site: Path, tmp_path: Path) -> None:
    """Otherwise a number from a sweep cannot be had again from the line beside it."""
    cell = next(own for own in read_variation(sweep[0]).tables[0].cells if own.name == "snr=20")
    assert "|channel:snr=20,noise=white|" in cell.signature
    command(site, tmp_path, "eval", "--signature", cell.signature, "--out", "again")
    one, two = (read_results(path) for path in (sweep[0] / "cells" / cell.run, tmp_path / "again"))
    assert one.run.fingerprint == two.run.fingerprint
    assert {key: own.outcome for key, own in one.results.items()} == {
        key: own.outcome for key, own in two.results.items()
    }


def test_another_voice_speaks_every_clip_that_has_words(site: Path, tmp_path: Path) -> None:
    """Otherwise a voice is varied in name, or a clip of unknown words keeps its first voice."""
    done = command(
        site, tmp_path, *EVAL, "--vary", "voice=none,low-voice", "--vary", "codec=none,telephone", code=0
    )
    assert "4 cells: clean; codec=telephone; voice=low-voice; codec=telephone,voice=low-voice" in done.stderr
    (table,) = read_variation(tmp_path).tables
    spoken = next(cell for cell in table.cells if cell.name == "voice=low-voice")
    assert spoken.scores["S"].invalid == {"no_transcript": 1} and table.items_used == 39
    assert spoken.scores["S"].estimate is not None and spoken.scores["S"].estimate.value == 0.0
    assert "|voice:low-voice|" in spoken.signature
    assert [factor.name for factor in table.factors] == ["codec", "voice"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--vary", "tempo=2"], "there is no such factor; there are snr, noise, reverb, codec, voice"),
        (["--vary", "snr"], "not of the form FACTOR=VALUE,VALUE"),
        (["--vary", "snr=loud"], "snr=loud is no number"),
        (["--vary", "noise=pink"], "add --vary snr"),
        (["--vary", "voice=ear"], "ear is a transcriber, it has to be a voice"),
        (["--vary", "voice=nobody"], "nobody"),
        (["--vary", "snr=3", "--checkpoints", "x*"], "--vary and --checkpoints are two series"),
        (["--vary", "snr=3", "--signature", "task:a|model:b"], "--signature names one run, --vary many"),
        (["--vary", "snr=3", "--conditions", "t2t"], "nothing is heard under t2t"),
    ],
)
def test_what_cannot_be_varied_is_told(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], told: str
) -> None:
    """Otherwise a typing error costs a night, or varies nothing."""
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("SPEECHZOO_PLUGINS", "listener")
    monkeypatch.chdir(tmp_path)
    # What an earlier test of this process found is not what is installed now.
    discover.cache_clear()
    model = [] if "--signature" in arguments else ["-m", "listener", "-t", "tones"]
    done = CliRunner().invoke(eval_command, [*model, *arguments])
    discover.cache_clear()
    assert told in f"{done.output} {done.exception}"
    assert isinstance(done.exception, SpeechzooError) or done.exit_code == 2
    if "--conditions" not in arguments:
        assert not (tmp_path / "runs").exists()


def test_cells_are_all_combinations_once() -> None:
    """Otherwise a combination is missing, or clean speech is run for every kind of noise."""
    factors = read_factors(["snr=none,10,10.0", "noise=white,pink", "codec=none,gsm"])
    assert [cell.title for cell in cells_of(factors)] == [
        "clean",
        "codec=gsm",
        "snr=10,noise=white",
        "snr=10,noise=white,codec=gsm",
        "snr=10,noise=pink",
        "snr=10,noise=pink,codec=gsm",
    ]
    with pytest.raises(SpeechzooError, match="nothing is varied"):
        cells_of(read_factors(["snr=none"]))


WANTED = Wanted("listener", "tones", None, {}, None, None, None, 0)


def test_a_factorial_has_a_folder_of_its_own(tmp_path: Path) -> None:
    """Otherwise runs of another model or seed are mixed into a sweep."""
    cells = [Cell(run="clean", channel={}, voice=None)]
    open_factorial(tmp_path, WANTED, cells).write(tmp_path)
    other = Wanted("another", "tones", None, {}, None, None, None, 0)
    with pytest.raises(SpeechzooError, match="model: listener there, another now"):
        open_factorial(tmp_path, other, cells)
    assert usual_folder(WANTED, "cpu") != usual_folder(
        Wanted("listener", "tones", None, {}, 5, None, None, 0), "cpu"
    )
    assert Factorial.read(tmp_path).cells == tuple(cells)


def test_a_signature_names_channel_and_voice() -> None:
    """Otherwise the line of a cell runs clean speech."""
    wanted = from_signature("task:t|model:m|channel:snr=-5,noise=pink,codec=gsm|voice:joe|seed:0")
    assert wanted.channel == Channel(-5, "pink", codec="gsm") and wanted.voice == "joe"


def cell(right: int, text: bool = False, lost: int = 0) -> Results:
    """Forty items, of which so many are right from speech, and the last ``lost`` could not be asked."""
    names = [f"i{place}" for place in range(40)]
    margins: dict[str, float | str] = {name: 1.0 if at < right else -1.0 for at, name in enumerate(names)}
    margins |= dict.fromkeys(names[40 - lost :], "no_transcript")
    made = scored(S, margins, wers=dict.fromkeys(names, 1 - right / 40))
    return results(
        [item(name) for name in names],
        made | (scored(T, dict.fromkeys(names, 1.0)) if text else {}),
        folder=Path("clean" if text else f"right-{right}"),
    )


def of(runs: Mapping[str, tuple[dict[str, str], Results]], **missing: str) -> Variation:
    levels: dict[str, dict[str, str]] = {name: own for name, (own, _) in runs.items()}
    levels |= {name: {"codec": name} for name in missing}
    return variation({name: own for name, (_, own) in runs.items()}, missing, levels, "t")


def factorial() -> Variation:
    return of(
        {
            "clean": ({}, cell(36, text=True)),
            "a": ({"snr": "0", "noise": "white"}, cell(20)),
            "b": ({"snr": "20", "noise": "white"}, cell(35)),
            "c": ({"snr": "0", "noise": "white", "codec": "gsm"}, cell(10)),
            "d": ({"codec": "gsm"}, cell(30)),
        }
    )


def test_each_cell_is_tested_against_the_clean_clips_as_one_family() -> None:
    """Otherwise of many cells one loses by luck, and the sweep is said to fall."""
    (table,) = factorial().tables
    tests = {own.name: own.scores["S"].against_clean for own in table.cells}
    assert tests["clean"] is None
    zero, twenty, both, coded = (tests[name] for name in ("snr=0", "snr=20", "snr=0,codec=gsm", "codec=gsm"))
    assert zero and twenty and both and coded
    assert (zero.lost, zero.gained, zero.verdict) == (16, 0, "loses")
    assert zero.loss.value == pytest.approx(16 / 40) and zero.p == pytest.approx(2**-15)
    assert zero.p_holm == pytest.approx(3 * 2**-15)
    # One of the two intervals of 6 lost items does not hold 0, but of four tests p is 0.031 twice.
    assert (coded.lost, coded.verdict) == (6, "not settled") and coded.p_holm == pytest.approx(2 * 2**-5)
    assert twenty.verdict == "no difference shown"
    assert both.verdict == "loses"


def test_factors_are_told_apart() -> None:
    """Otherwise a line joins cells that differ in more than its factor, or claims what was not tested."""
    (table,) = factorial().tables
    snr, codec = table.factors
    assert (snr.name, snr.levels, codec.levels) == ("snr", ("none", "20", "0"), ("none", "gsm"))
    assert {sweep.name: [*sweep.cells.values()] for sweep in snr.sweeps} == {
        "codec=none": ["clean", "snr=20", "snr=0"],
        "codec=gsm": ["codec=gsm", "snr=0,codec=gsm"],
    }
    assert {sweep.name: [*sweep.cells.values()] for sweep in codec.sweeps} == {
        "snr=0": ["snr=0", "snr=0,codec=gsm"],
        "snr=none": ["clean", "codec=gsm"],
    }
    assert snr.trends == (
        "snr at codec=none, S against the clean clips: a loss is shown at 0; no difference is shown at 20.",
    )
    assert codec.trends == ("codec at snr=none, S against the clean clips: not settled at gsm.",)
    assert not codec.ordered


def test_a_headline_claims_a_loss_only_where_one_is_shown() -> None:
    """Otherwise the first thing read is not what was found."""
    assert factorial().headline.startswith(
        "S loses 65.0 points under snr=0,codec=gsm against the clean clips"
    )
    weak = of({"clean": ({}, cell(36, text=True)), "a": ({"snr": "9", "noise": "white"}, cell(34))})
    assert weak.headline.startswith("S: no loss or gain is shown in 1 cell against")


def test_items_that_one_cell_lacks_are_out_of_all() -> None:
    """Otherwise the cells are over different items, and nobody is told."""
    made = of({"clean": ({}, cell(36, text=True)), "a": ({"voice": "joe"}, cell(20, lost=8))})
    (table,) = made.tables
    assert (table.items_used, table.cells[1].scores["S"].invalid) == (32, {"no_transcript": 8})
    clean = table.cells[0].scores["S"].estimate
    assert clean is not None and clean.value == 1.0
    assert any("over 32 of 40 items" in warning for warning in made.warnings)


def test_missing_cells_are_told() -> None:
    """Otherwise a cell that failed looks as if it had never been wanted."""
    made = of(
        {"clean": ({}, cell(36, text=True)), "a": ({"snr": "0", "noise": "white"}, cell(20))}, gsm="broken"
    )
    assert [(own.name, own.reason) for own in made.missing] == [("codec=gsm", "broken")]
    assert "codec=gsm is left out: broken" in made.warnings
    without = of({"a": ({"snr": "0", "noise": "white"}, cell(20))}, clean="x")
    assert without.headline == "Nothing can be compared with the clean clips"
    with pytest.raises(SetupError, match="cell gsm: broken"):
        of({}, gsm="broken")


def test_the_json_keeps_to_its_schema(sweep: tuple[Path, str, str]) -> None:
    """Otherwise whoever plots a sweep elsewhere reads something else than is promised."""
    text = (sweep[0] / "cells" / "variation.json").read_text()
    schema = Variation.model_json_schema(mode="serialization")
    jsonschema.validate(json.loads(text), schema)
    published = Path(__file__).parents[1] / "docs" / "variation.schema.json"
    assert json.loads(published.read_text()) == json.loads(json.dumps(schema))
    assert Variation.model_validate_json(text).model_dump_json(indent=1) + "\n" == text


def test_the_page_is_whole_and_inert(sweep: tuple[Path, str, str]) -> None:
    """Otherwise the page needs the network, runs what a name holds, or lacks a cell."""
    page = html.unescape((sweep[0] / "cells" / "variation.html").read_text())
    assert "<script" not in page and "http" not in page.replace("http-equiv", "")
    assert "default-src 'none'" in page and "<figcaption>accuracy, % of S by snr</figcaption>" in page
    assert 'href="snr-0_noise-white/report.html"' in page
    made = factorial()
    marks = re.findall(r'class="mark" cx="([\d.]+)" cy="([\d.]+)"', render(made))
    # Five points of snr, four of codec, and in each of the two drawings the end of T.
    assert len(marks) == 5 + 4 + 2
    assert all(56 <= float(x) <= 884 and 12 <= float(y) <= 252 for x, y in marks)
    hostile = '</style><script>alert(1)</script><img src=x onerror="alert(2)">'
    cells: dict[str, Any] = {"clean": ({}, cell(36, text=True)), hostile: ({"voice": hostile}, cell(20))}
    assert not re.search("<script|<img", render(of(cells)))


def test_the_terminal_shows_every_cell() -> None:
    """Otherwise who has no browser sees a headline alone."""
    console = Console(file=io.StringIO(), width=100)
    print_variation(factorial(), console)
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    for told in (
        "clean",
        "snr=20",
        "snr=0,codec=gsm",
        "+65.0",
        "16",
        "loses",
        "0/40",
        "a loss is shown at 0",
    ):
        assert told in printed
