"""speechzoo's tasks in lm-eval."""

import hashlib
from pathlib import Path

import pytest
from click.testing import CliRunner
from lm_eval.api.model import LM
from lm_eval.tasks import TaskManager
from speechzoo import SpeechzooError

from speechzoo_lm_eval import SpeechzooLM, as_lm_eval_task
from speechzoo_lm_eval.path_command import command

EARS = {"transcriber": "toy-ears"}
STUBS = Path(__file__).parents[1] / "speechzoo_lm_eval" / "harness_tasks"


class Oracle(LM):
    """Somebody's audio model class: it knows nothing of speechzoo, and what is right by the document."""

    MULTIMODAL = True

    def __init__(self, reply=""):
        super().__init__()
        self.heard = []
        self._reply = reply

    def loglikelihood(self, requests):
        self.heard += [request.args[2]["audio"] for request in requests]
        return [
            (-1.0 if one.doc["choices"][one.doc["answer"]] == one.args[1] else -9.0, False)
            for one in requests
        ]

    def loglikelihood_rolling(self, requests):
        raise NotImplementedError

    def generate_until(self, requests):
        self.heard += [request.args[2]["audio"] for request in requests]
        return [self._reply] * len(requests)


def test_choices_go_to_any_audio_model_class(evaluated):
    """Otherwise our data could be used in speechzoo alone."""
    task = as_lm_eval_task("s2sbench-mini/choices")
    assert (task.task_name, len(task.eval_docs)) == ("speechzoo_s2sbench_mini_choices_speech", 68)
    model = Oracle()
    found = evaluated(model, task, limit=5)["results"]["speechzoo_s2sbench_mini_choices_speech"]
    assert (found["acc,none"], found["acc_norm,none"]) == (1.0, 1.0)
    for path in {path for audio in model.heard for path in audio}:
        assert Path(path).stem == hashlib.sha256(Path(path).read_bytes()).hexdigest()


def test_right_options_are_those_of_the_data():
    """Otherwise a model that is right would be counted wrong."""
    task = as_lm_eval_task("s2sbench-mini", "t2t")
    documents = {doc["id"]: doc for doc in task.eval_docs}
    assert len(documents) == 236
    first = documents["choices-0"]
    assert first["choices"][first["answer"]].strip() == "bring letters to the right homes."
    assert "postman" in first["prompt"] and first["audio"] == []


def test_replies_are_graded_by_the_task_itself(evaluated):
    """Otherwise figures of lm-eval and of speechzoo would be of two protocols."""
    task = as_lm_eval_task("spoken-qa-mini", settings=EARS)
    name = task.task_name
    grades = evaluated(Oracle("I would say Paris."), task, limit=20)["results"][name]
    assert 0 < grades["exist,none"] < 1
    silent = evaluated(Oracle(" "), as_lm_eval_task("spoken-qa-mini", settings=EARS), limit=3)["samples"][
        name
    ]
    assert [row["metrics"] for row in silent] == [["invalid"]] * 3


@pytest.mark.parametrize(
    ("name", "condition", "settings", "told"),
    [
        ("chatter", "t2t", {"kind": "dialogue"}, "replies to several turns"),
        ("chatter", "t2t", {"kind": "contexts"}, "continuations of several prompts"),
        ("chatter", "t2t", {"kind": "clips"}, "spoken continuations"),
        ("chatter", "t2t", {"kind": "lengths"}, "3 or 5 tokens"),
        ("mtalk-mini", "s2t", {"judge": "", "transcriber": "toy-ears"}, "several turns"),
        ("spoken-qa-mini", "s2s", EARS, "texts for answers"),
        ("spoken-qa-mini", "s2t", {**EARS, "instruction": "Be brief."}, "2 messages"),
        ("s2sbench-mini", "s2t", {"normalisation": "unconditional"}, "log-likelihoods alone"),
        ("no-such-task", "s2t", {}, "no-such-task"),
    ],
)
def test_what_lm_eval_has_no_form_for_is_refused(name, condition, settings, told):
    """Otherwise something else than the task would be measured under its name."""
    with pytest.raises(SpeechzooError, match=told):
        as_lm_eval_task(name, condition, settings)


def test_the_stubs_load_by_their_names(evaluated):
    """Otherwise 'lm-eval --include_path' would know none of them."""
    assert CliRunner().invoke(command).output.strip() == str(STUBS)
    manager = TaskManager(include_path=[str(STUBS)], include_defaults=False)
    names = sorted(path.stem for path in STUBS.glob("*.yaml"))
    assert set(names) <= set(manager.all_tasks)
    [task] = manager.load(["speechzoo_s2sbench_mini_speech"])["tasks"].values()
    assert len(task.eval_docs) == 236


def test_our_task_and_our_model_meet_in_lm_eval(evaluated):
    """Otherwise the two halves of the bridge would not fit each other."""
    lm = SpeechzooLM(model="toy", mode="speech", voice="toy-voice", spoken="everything")
    found = evaluated(lm, as_lm_eval_task("s2sbench-mini/choices"), limit=2)
    assert found["n-samples"]["speechzoo_s2sbench_mini_choices_speech"]["effective"] == 2
    assert all(len(own[0].ask.context[0].clips) == 1 for own in lm.documents.values())
