"""``speechzoo lm-eval``: two runs of lm-eval, one run folder, one report."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from lm_eval.tasks import TaskManager
from speechzoo import SpeechzooError
from speechzoo.plugins import discover
from speechzoo.run.progress import Silent
from speechzoo.run.records import Key
from speechzoo.run.results import read_results

import speechzoo_lm_eval.harness as harness
from speechzoo_lm_eval import Arm, SpeechzooLM, make_run
from speechzoo_lm_eval.command import command
from speechzoo_lm_eval.metrics import read_scores

ROW = {"doc_id": 0, "doc_hash": "h", "filter": "none", "arguments": [["a", "b"]] * 4, "target": "0"}


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
        (["--tasks", "colours", "--use_cache", "x"], "--use_cache is not lm-eval's to say"),
        (["--tasks", "colours", "--output_path", "x"], "--out"),
        (["--tasks", "colours", "--model_args", "a=b"], "--set"),
        ([], "name lm-eval's tasks"),
        (["--tasks", "colours", "--fewshot_as_multiturn", "false"], "--spoken everything"),
    ],
)
def test_what_is_decided_here_is_not_ignored(lm_eval, arguments, told):
    """Otherwise an option of lm-eval would be silently overruled."""
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
    assert (
        "lm-eval's own table is withheld: 1 documents have no answer (1 unspeakable_formula)"
        in capsys.readouterr().out
    )
    printed = tmp_path / "run" / "lm-eval" / "model-s2t" / "printed.txt"
    assert printed.read_text().startswith("DO NOT QUOTE: 1 documents")


def test_a_rival_stands_beside_the_model(lm_eval):
    """Otherwise nobody could tell hearing from thinking."""
    report = lm_eval("--tasks", "colours", "--rival", "toy", "--set", "deaf=true")
    assert {name: value for name, (value, _) in stages(report).items()} == {
        "T": 1.0, "S": 0.25, "CT": 1.0, "C": 1.0,
    }  # fmt: skip


def test_spoken_replies_are_an_arm(lm_eval):
    """Otherwise what speaking costs could not be measured on lm-eval's tasks."""
    report = lm_eval("--tasks", "open_colours", "--output", "text,speech", "--transcriber", "toy-ears")
    assert {name: value for name, (value, _) in stages(report).items()} == {
        "T": 1.0, "TS": 0.25, "S": 1.0, "SS": 0.25,
    }  # fmt: skip


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
    common = ["--model", "toy", "--voice", "toy-voice", "--out", "run", "--include_path", str(task_folder)]
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


@pytest.fixture
def arms(choice, evaluated):
    def make(rows_of_speech=None, **options):
        text = SpeechzooLM(model="toy", failures="mark")
        speech = text.under(mode="speech", voice="toy-voice")
        changed = {"rows": rows_of_speech} if rows_of_speech else {}
        return [
            Arm(text, evaluated(text, choice(**options), apply_chat_template=True)),
            Arm(speech, evaluated(speech, choice(**changed, **options), apply_chat_template=True)),
        ]

    return make


def test_a_report_from_python(arms, tmp_path):
    """Otherwise those who call lm-eval from Python would have no report."""
    folder = make_run(arms(), tmp_path / "run", discover(), Silent())
    assert len(read_results(folder).items) == 4


def test_other_documents_are_not_paired(arms, tmp_path):
    """Otherwise a question would be compared with another one of the same number."""
    other = [{"question": f"{i}", "choices": ["a", "b"], "answer": 0} for i in range(4)]
    with pytest.raises(SpeechzooError, match="document 0 is not the same"):
        make_run(arms(other), tmp_path / "run", discover(), Silent())
    one, _ = arms()
    with pytest.raises(SpeechzooError, match="two runs of the model are of one condition"):
        make_run([one, Arm(one.lm, one.results)], tmp_path / "run", discover(), Silent())


def results_of(kind, rows, overall):
    return {
        "configs": {"t": {"output_type": kind}},
        "samples": {"t": rows},
        "results": {"t": overall},
        "higher_is_better": {"t": {}},
    }


@pytest.mark.parametrize(
    ("kind", "metric", "values", "overall", "told"),
    [
        ("multiple_choice", "acc", [1.0, 0.0], 0.5, None),
        ("generate_until", "bleu", [("a", "b"), ("c", "d")], 12.0, "no document has a number"),
        ("generate_until", "perplexity", [-1.0, -3.0], 7.4, "not the mean"),
        ("loglikelihood", "acc", [0, 0], 0.0, "is_greedy"),
        ("multiple_choice", "exact_match", [0, 0], 0.0, "is_greedy"),
    ],
)
def test_only_numbers_of_documents_are_paired(kind, metric, values, overall, told):
    """Otherwise corpus figures, or zeros that stand for "unknown", would be compared document by document."""
    rows = [
        {**ROW, "doc_id": i, "metrics": [metric], metric: value, "filtered_resps": [("-1.5", "False")]}
        for i, value in enumerate(values)
    ]
    scores = read_scores(results_of(kind, rows, {f"{metric},none": overall}), "t")
    assert (scores.paired == (metric,)) is (told is None)
    assert told is None or told in scores.unpaired[metric]


def test_metrics_behind_filters_are_told_apart():
    """Otherwise strict and flexible matching would be taken for one metric."""
    rows = [
        {**ROW, "filter": name, "metrics": ["exact_match"], "exact_match": value, "filtered_resps": [""]}
        for name, value in (("strict", 0.0), ("flexible", 1.0))
    ]
    overall = {"exact_match,strict": 0.0, "exact_match,flexible": 1.0}
    scores = read_scores(results_of("generate_until", rows, overall), "t")
    assert scores.documents[0].values == {"exact_match,strict": 0.0, "exact_match,flexible": 1.0}


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
    assert Path(__file__).parents[1].joinpath("README.md").exists()
