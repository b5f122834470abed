"""Runs of lm-eval side by side: what is paired, and what may not be."""

import math

import pytest
from speechzoo import SpeechzooError
from speechzoo.plugins import discover
from speechzoo.run.progress import Silent
from speechzoo.run.results import read_results

from speechzoo_lm_eval import Arm, SpeechzooLM, make_run
from speechzoo_lm_eval.documents import Documents
from speechzoo_lm_eval.metrics import read_scores

ROW = {
    "doc_id": 0, "doc_hash": "h", "prompt_hash": "p", "target_hash": "t", "filter": "none",
    "arguments": [["a", "b"]] * 4, "target": "0",
}  # fmt: skip


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


def test_a_document_without_an_answer_costs_no_metric(choice, evaluated, tmp_path):
    """Otherwise one formula among a thousand questions would take a metric, or the whole report, away."""
    rows = [
        {"question": q, "choices": ["blue", "green"], "answer": i}
        for i, q in enumerate(["the sky?", "grass with $x^2$?"])
    ]
    loss = {"metric": "loss", "aggregation": "mean", "higher_is_better": False}
    task = {"rows": rows, "metric_list": [loss], "process_results": loss_of_the_right_option}
    text = SpeechzooLM(model="toy", failures="mark")
    lms = [text, text.under(mode="speech", voice="toy-voice")]
    both = [Arm(lm, evaluated(lm, choice(**task), apply_chat_template=True)) for lm in lms]
    assert math.isnan(both[1].results["results"]["colours"]["loss,none"])
    documents = Documents(both)
    assert [(one.name, one.low) for one in documents.metrics] == [("loss", 0.0)]
    run = read_results(make_run(both, tmp_path / "run", discover(), Silent()))
    found = {
        (key.item[-1], str(key.condition)): getattr(result.outcome, "reason", None)
        for key, result in run.results.items()
        if not key.variant
    }
    assert found.pop(("1", "s2t")) == "unspeakable_formula"
    assert list(found.values()) == [None] * 3


def loss_of_the_right_option(doc, results):
    return {"loss": -results[doc["answer"]][0]}


def test_a_task_that_cannot_be_paired_takes_no_other_with_it(choice, open_task, evaluated, tmp_path):
    """Otherwise one task graded by BLEU would throw away a night's answers to all the others."""
    bleu = {"metric": "bleu", "aggregation": "bleu", "higher_is_better": True}
    lm = SpeechzooLM(model="toy")
    found = evaluated(lm, choice(), open_task(metric_list=[bleu]), apply_chat_template=True)
    run = read_results(make_run([Arm(lm, found)], tmp_path / "run", discover(), Silent()))
    assert set(run.items) == {f"colours/{i}" for i in range(4)}
    assert any("open_colours is left out" in note for note in run.run.notes)
    found = evaluated(lm, open_task(metric_list=[bleu]), apply_chat_template=True)
    with pytest.raises(SpeechzooError, match=r"no metric can be paired by document\. bleu of open_colours"):
        make_run([Arm(lm, found)], tmp_path / "another", discover(), Silent())


def test_answers_are_of_the_run_that_the_results_are_of(choice, evaluated, tmp_path):
    """Otherwise answers to other documents, or to other prompts, would be filed under these grades."""
    lm = SpeechzooLM(model="toy")
    whole = evaluated(lm, choice(), apply_chat_template=True)
    few = evaluated(lm, choice(), limit=2, apply_chat_template=True)
    run = read_results(make_run([Arm(lm, few)], tmp_path / "run", discover(), Silent()))
    assert [result.outcome.values["acc"] for key, result in run.results.items() if not key.variant] == [1, 1]
    with pytest.raises(SpeechzooError, match="document 2 with the prompt that is in lm-eval's results"):
        Documents([Arm(lm, whole)])
    evaluated(lm, choice(), num_fewshot=1, apply_chat_template=True, fewshot_as_multiturn=True)
    with pytest.raises(SpeechzooError, match="document 0 with the prompt"):
        Documents([Arm(lm, whole)])


@pytest.mark.parametrize("chosen", [[1, 0], [2, 3]])
def test_documents_that_lm_eval_numbers_in_two_ways_are_not_paired(choice, evaluated, chosen):
    """Otherwise with samples=... a document's grade would stand beside another one's answer."""
    lm = SpeechzooLM(model="toy")
    found = evaluated(lm, choice(), samples={"colours": chosen}, apply_chat_template=True)
    with pytest.raises(SpeechzooError, match="without samples"):
        Documents([Arm(lm, found)])


def test_changed_metrics_are_graded_anew(arms, tmp_path):
    """Otherwise who mends the code of a task's metric would go on seeing what it said before."""
    both = arms()
    make_run(both, tmp_path / "run", discover(), Silent())
    for arm in both:
        arm.results["samples"]["colours"][0]["acc"] = 0.0
        arm.results["results"]["colours"]["acc,none"] = 0.75
    again = [Arm(arm.lm, arm.results) for arm in both]
    run = read_results(make_run(again, tmp_path / "run", discover(), Silent()))
    grades = {
        key.item: result.outcome.values["acc"] for key, result in run.results.items() if not key.variant
    }
    assert grades == {"colours/0": 0.0, "colours/1": 1.0, "colours/2": 1.0, "colours/3": 1.0}


def test_a_rival_is_asked_as_the_model_is(arms, tmp_path):
    """Otherwise a rival's run would be made and then be missing from the report."""
    text, speech = arms()
    with pytest.raises(SpeechzooError, match=r"the rival answers in text, .* not s2t"):
        make_run([text, Arm(speech.lm, speech.results, "rival")], tmp_path / "run", discover(), Silent())
