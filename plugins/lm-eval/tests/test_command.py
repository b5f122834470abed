"""``speechzoo lm-eval``: two runs of lm-eval, one run folder, one report."""

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from lm_eval.tasks import TaskManager
from speechzoo import SpeechzooError
from speechzoo.cli.load_options import load_options
from speechzoo.run.records import Key
from speechzoo.run.results import read_results

import speechzoo_lm_eval.harness as harness
from speechzoo_lm_eval.command import command


@pytest.fixture
def lm_eval(task_folder, monkeypatch, tmp_path):
    """Runs ``speechzoo lm-eval`` on the toy, with no other tasks than those of the folder; gives the run."""

    # lm-eval reads the 13,000 tasks of its own, which takes a minute, unless it is told not to.
    def few(self, *arguments, include_defaults=True, **options):
        return usual(self, *arguments, include_defaults=False, **options)

    usual = TaskManager.__init__
    monkeypatch.setattr(TaskManager, "__init__", few)

    def run(*arguments, out="run"):
        command.main(
            [
                "--model",
                "toy",
                "--voice",
                "toy-voice",
                "--transcriber",
                "toy-ears",
                "--out",
                out,
                "--include_path",
                str(task_folder),
                *arguments,
            ],
            standalone_mode=False,
        )
        return read_report(tmp_path / out)

    return run


def read_report(folder):
    return json.loads((folder / "report.json").read_text())


def stages(report):
    return {stage["name"]: (stage["estimate"]["value"], stage["valid"]) for stage in report["stages"]}


def test_one_report_of_both_modes(lm_eval, tmp_path):
    """Otherwise nobody would see what hearing costs in a task of lm-eval."""
    report = lm_eval("--tasks", "colours,open_colours", "--set", "deaf=true")
    assert {name: value for name, (value, _) in stages(report).items()} == {"T": 1.0, "S": 0.125}
    run = read_results(tmp_path / "run")
    assert len(run.items) == 8
    assert {item.attributes["subset"] for item in run.items.values()} == {"colours", "open_colours"}
    assert any("share no metric; main is acc of colours" in note for note in run.run.notes)
    graded = run.results[Key(role="model", item="colours/0", condition="t2t")].outcome
    assert graded.details == {"target": "0", "response": "-0.400; -5.500; -5.500; -5.500"}
    item = run.items["colours/0"]
    assert item.asks["t2t"].text == "Question: What colour is the sky?\nAnswer:"
    assert item.asks["s2t"].spoken == "Question: What colour is the sky? Answer"
    assert (item.chance, item.asks["s2t"].clips != ()) == (0.25, True)
    for arm in ("model-t2t", "model-s2t"):
        assert len(list((tmp_path / "run" / "lm-eval" / arm / "toy").glob("samples_*.jsonl"))) == 2
    assert "colours" in (tmp_path / "run" / "report.html").read_text()


def test_options_of_lm_eval_are_lm_evals(lm_eval, tmp_path):
    """Otherwise limits, shots and seeds would have to be learnt anew."""
    report = lm_eval(
        "--tasks", "colours", "-L", "2", "--num_fewshot", "1", "--seed", "7", "--metric", "acc_norm"
    )
    assert stages(report) == {"T": (1.0, 2), "S": (1.0, 2)}
    run = read_results(tmp_path / "run").run
    assert (run.seed, run.task.metrics[0].name) == (7, "acc_norm")
    with pytest.raises(SystemExit) as ended:
        lm_eval("--tasks", "colours", "--no_such_option")
    assert ended.value.code == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--tasks", "colours", "--use_cache", "x"], "--use_cache cannot be given here"),
        (["--tasks", "colours", "--config", "x.yaml"], "--config cannot be given here"),
        (["--tasks", "colours", "--samples", '{"colours": [1, 0]}'], "--samples cannot be given here"),
        (["--tasks", "colours", "--apply_chat_template", "x"], "template of its own"),
        (["--tasks", "colours", "--rival", "toy", "--output", "speech"], "--rival answers in text"),
        (["--tasks", "colours", "--output_path", "x"], "--out"),
        (["--tasks", "colours", "--model_args", "a=b"], "--set"),
        ([], "name lm-eval's tasks"),
        (["--tasks", "colours", "--fewshot_as_multiturn", "false"], "--spoken everything"),
    ],
)
def test_what_cannot_be_given_is_refused(lm_eval, arguments, told):
    """Otherwise an option would be silently overruled, or documents be compared with others."""
    with pytest.raises(SpeechzooError, match=told):
        lm_eval(*arguments)


def test_an_unknown_task_is_told(lm_eval):
    """Otherwise a misspelt name would end in a traceback."""
    with pytest.raises(SpeechzooError, match=r"Tasks not found: colors.*--include_path"):
        lm_eval("--tasks", "colors")


def test_documents_that_cannot_be_spoken_are_counted(lm_eval, task_folder, tmp_path, capsys):
    """Otherwise the gap would be over other documents than it says, and lm-eval's table be believed."""
    rows = [json.loads(line) for line in (task_folder / "rows.jsonl").read_text().splitlines()]
    rows[1]["question"] = "What colour is grass with $x^2$?"
    (task_folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    report = lm_eval("--tasks", "colours")
    assert stages(report) == {"T": (1.0, 4), "S": (1.0, 3)}
    assert read_results(tmp_path / "run").items["colours/1"].failures["s2t"][0] == "unspeakable_formula"
    told = capsys.readouterr().out
    assert "table is withheld: there are documents without an answer (1 unspeakable_formula)" in told
    printed = tmp_path / "run" / "lm-eval" / "model-s2t" / "printed.txt"
    assert printed.read_text().startswith("DO NOT QUOTE: there are documents")


def test_a_rival_stands_beside_the_model(lm_eval):
    """Otherwise nobody could tell hearing from thinking."""
    report = lm_eval("--tasks", "colours", "--rival", "toy", "--set", "deaf=true")
    assert {name: value for name, (value, _) in stages(report).items()} == {
        "T": 1.0, "S": 0.25, "CT": 1.0, "C": 1.0,
    }  # fmt: skip


def test_spoken_replies_are_an_arm(lm_eval):
    """Otherwise what speaking costs could not be measured on lm-eval's tasks."""
    report = lm_eval("--tasks", "open_colours", "--output", "text,speech")
    assert {name: value for name, (value, _) in stages(report).items()} == {
        "T": 1.0, "TS": 0.25, "S": 1.0, "SS": 0.25,
    }  # fmt: skip


def test_choices_are_spoken_and_heard(lm_eval, tmp_path):
    """Otherwise what speaking costs could not be measured on choices, which most benchmarks are."""
    report = lm_eval("--tasks", "colours", "--answers", "generated", "--output", "text,speech")
    # The toy's ears hear "blue" in all that is said.
    assert {name: value for name, (value, _) in stages(report).items()} == {
        "T": 1.0, "TS": 0.25, "S": 1.0, "SS": 0.25,
    }  # fmt: skip
    run = read_results(tmp_path / "run")
    assert any("told from replies" in note for note in run.run.notes)
    assert "answers=generated" in run.run.signature and run.items["colours/0"].chance == 0.25


def test_everything_spoken_takes_no_chat_template(lm_eval, tmp_path):
    """Otherwise base models could not be evaluated on the plain prompts they are made for."""
    lm_eval("--tasks", "colours", "--spoken", "everything")
    item = read_results(tmp_path / "run").items["colours/0"]
    assert item.asks["t2t"].continuations == (" blue", " green", " white", " black")
    assert item.asks["s2t"].text == "[audio]"


def test_a_killed_run_is_taken_up_again(lm_eval, task_folder, toy, tmp_path):
    """Otherwise a night's answers would be lost with the process."""
    log = tmp_path / "log"
    arguments = ["--tasks", "colours", "--set", f"log={log}", "--batch_size", "1"]
    program = (
        "from lm_eval.tasks import TaskManager as T; own = T.__init__\n"
        "T.__init__ = lambda self, *a, **o: own(self, *a, **{**o, 'include_defaults': False})\n"
        "from speechzoo_lm_eval.command import command; command()"
    )
    common = ["--model", "toy", "--voice", "toy-voice", "--out", "run", "--transcriber", "toy-ears",
              "--include_path", str(task_folder)]  # fmt: skip
    killed = subprocess.run(
        [sys.executable, "-c", program, *common, *arguments, "--set", "exit_after=6"],
        env=toy, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert killed.returncode == 9, killed.stderr
    assert len(log.read_text().splitlines()) == 6
    report = lm_eval(*arguments)
    assert stages(report) == {"T": (1.0, 4), "S": (1.0, 4)}
    # Five answers were on disk; the sixth ask is put again, two more follow, and those of the probe.
    whole = lm_eval("--tasks", "colours", "--set", f"log={tmp_path / 'log-of-another'}", out="another")
    asked, of_another = (
        len((tmp_path / name).read_text().splitlines()) for name in ("log", "log-of-another")
    )
    assert asked == of_another + 1
    assert whole["headline"] == report["headline"]


def test_results_of_several_runs_are_not_mixed(tmp_path):
    """Otherwise an older run's samples would be read with a newer one's figures."""
    (tmp_path / "toy").mkdir()
    for date in "ab":
        (tmp_path / "toy" / f"results_{date}.json").write_text("{}")
    with pytest.raises(SpeechzooError, match="2 result files"):
        harness.read(tmp_path)


def test_help_teaches_both(capsys):
    """Otherwise nobody would know which of lm-eval's options there are."""
    command.main(["--help"], standalone_mode=False)
    told = capsys.readouterr().out
    assert "--spoken" in told and "--num_fewshot" in told and "lm-eval run --help" in told
    assert all(f"--{name}" in told for name in harness.REFUSED)


def test_the_readmes_example_can_be_run():
    """Otherwise the first command that a newcomer tries on the bridge would fail."""
    folder = Path(__file__).parents[1] / "examples"
    manager = TaskManager(include_path=[str(folder)], include_defaults=False)
    [task] = manager.load(["school_questions"])["tasks"].values()
    assert (len(task.eval_docs), task.doc_to_text(task.eval_docs[0])[-15:]) == (12, "Jupiter\nAnswer:")


def test_the_readme_has_every_option():
    """Otherwise an option of the bridge, or that one of lm-eval is refused, would be found by accident."""
    readme = Path(__file__).parents[1].joinpath("README.md").read_text()
    own = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
    of_eval = {
        option for parameter in load_options(click.Command("eval")).params for option in parameter.opts
    }
    missing = (own | {f"--{name}" for name in harness.REFUSED}) - of_eval
    assert {option for option in missing if f"`{option}" not in readme} == set()


def test_tasks_of_another_folder_are_another_run():
    """Otherwise tasks of one name in two folders would be written over each other."""
    folders = [harness.parse(["--tasks", "a", "--include_path", name], chat=True) for name in "xy"]
    one, two = (harness.chosen(options, chat=True) for options in folders)
    assert one != two


def test_changed_data_is_graded_anew(lm_eval, task_folder, tmp_path):
    """Otherwise a mended gold answer would change lm-eval's own table and not the report."""
    assert stages(lm_eval("--tasks", "colours", "--mode", "text")) == {"T": (1.0, 4)}
    before = read_results(tmp_path / "run").run.task
    rows = [json.loads(line) for line in (task_folder / "rows.jsonl").read_text().splitlines()]
    changed = [{**row, "answer": (row["answer"] + 1) % 4} for row in rows]
    (task_folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in changed))
    assert stages(lm_eval("--tasks", "colours", "--mode", "text")) == {"T": (0.0, 4)}
    # What 'compare' and the signature go by.
    assert read_results(tmp_path / "run").run.task.identity != before.identity


def test_what_is_spoken_is_measured(lm_eval, tmp_path):
    """Otherwise texts that a voice misread would count as the model's loss, and nobody could tell."""
    lm_eval("--tasks", "colours")
    run = read_results(tmp_path / "run")
    # The toy's ears hear "blue" in all that is said.
    assert run.run.transcriber["name"] == "toy-ears"
    assert run.audio_wer == dict.fromkeys([f"colours/{i}" for i in range(4)], 1.0)
