"""The task spoken-qa-mini: what is asked and what a reply is worth."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from speechzoo import (
    AudioClip,
    Condition,
    Failure,
    Grade,
    ReplyAnswer,
    Setup,
    SpeechzooError,
)
from speechzoo.audio import silence
from speechzoo.registry import read_registry
from speechzoo.weights import verify_files

import speechzoo_spoken_qa
from speechzoo_spoken_qa.plugin import speechzoo_registry, speechzoo_tasks
from speechzoo_spoken_qa.questions import read_questions
from speechzoo_spoken_qa.task import SpokenQAMini

MINI = Path(speechzoo_spoken_qa.__file__).parent / "mini"
QUESTION = {
    "id": "q1",
    "question": "What is the capital of France?",
    "answers": ["Paris"],
    "audio": "q1.opus",
    "voice": "joe",
    "topic": "capitals",
}


class Ears:
    """A transcriber that hears what it is told to, and counts how often it is loaded."""

    def __init__(self, hears: str | Failure) -> None:
        self.hears = hears
        self.loaded = 0

    def load(self) -> "Ears":
        self.loaded += 1
        return self

    def transcribe(self, clips: Sequence[AudioClip]) -> Sequence[str | Failure]:
        return [self.hears for _ in clips]

    def close(self) -> None: ...


def made(hears: str | Failure = "", **parameters: Any) -> tuple[SpokenQAMini, Ears]:
    ears = Ears(hears)
    setup = Setup("spoken-qa-mini", MINI, parts={"transcriber": ears.load})
    return SpokenQAMini(setup, **parameters), ears


def graded(task: SpokenQAMini, condition: Condition, answer: ReplyAnswer) -> Grade | Failure:
    capital_of_france = task.items()[0]
    return task.grade(capital_of_france, condition, answer)


def values(outcome: Grade | Failure) -> dict[str, float]:
    assert isinstance(outcome, Grade)
    return dict(outcome.values)


def reason(outcome: Grade | Failure) -> str:
    assert isinstance(outcome, Failure)
    return outcome.reason


def test_the_shipped_data_are_those_the_registry_names() -> None:
    """Otherwise two installations could measure with different data under one name."""
    entry = read_registry(speechzoo_registry()).data["spoken-qa-mini"]
    verify_files(MINI, entry.files)
    items = made()[0].items()
    assert len(items) == len({item.id for item in items}) == entry.expected["items"]
    assert Counter(item.attributes["voice"] for item in items) == {"joe": 46, "joe-high": 46}


def test_every_clip_decodes() -> None:
    """Otherwise an item would fail in the middle of a run."""
    for item in made()[0].items():
        assert 0.8 < item.data["clip"].seconds < 8


def test_the_question_is_asked_alone() -> None:
    """Otherwise a figure could not stand beside one made by the published protocol."""
    task, _ = made()
    item = task.items()[0]
    read, heard = task.ask(item, Condition.T2S), task.ask(item, Condition.S2T)
    assert [(m.role, m.parts) for m in read.dialogue] == [("user", ("What is the capital of France?",))]
    assert [(m.role, m.parts) for m in heard.dialogue] == [("user", (item.data["clip"],))]
    assert (read.speech, heard.speech) == (True, False)


def test_an_instruction_is_a_system_message() -> None:
    """Otherwise the parameter would do nothing, or change the user's turn."""
    task, _ = made(instruction="Answer briefly.", max_tokens=9)
    asked = task.ask(task.items()[0], Condition.S2S)
    assert [m.role for m in asked.dialogue] == ["system", "user"]
    assert asked.dialogue[0].text == "Answer briefly."
    assert asked.max_tokens == 9


def test_a_text_reply_is_graded_as_it_is() -> None:
    """Otherwise a transcriber would be loaded, and its errors counted, where nothing is spoken."""
    task, ears = made("London")
    outcome = graded(task, Condition.S2T, ReplyAnswer("It is Paris.", clip=silence(1.0)))
    assert values(outcome) == {"exist": 1.0, "normalised": 1.0}
    assert ears.loaded == 0


def test_a_spoken_reply_is_graded_by_what_is_heard() -> None:
    """Otherwise a reply that nobody could understand would be right."""
    task, ears = made("It is powers.")
    for _ in range(2):
        outcome = graded(task, Condition.T2S, ReplyAnswer("It is Paris.", clip=silence(1.0)))
    assert values(outcome) == {"exist": 0.0, "normalised": 0.0, "reply_wer": pytest.approx(1 / 3)}
    assert isinstance(outcome, Grade)
    assert outcome.details == {"transcript": "It is powers.", "answers": ["Paris"]}
    assert ears.loaded == 1


@pytest.mark.parametrize("own", [None, "", " ...!"])
def test_no_word_error_rate_without_a_text_of_its_own(own: str | None) -> None:
    """Otherwise a model that speaks without writing would be charged an error rate of nothing."""
    task, _ = made("Paris")
    outcome = graded(task, Condition.S2S, ReplyAnswer(own, clip=silence(1.0)))
    assert values(outcome) == {"exist": 1.0, "normalised": 1.0}


def test_a_reply_without_a_word_is_an_outcome_of_its_own() -> None:
    """Otherwise a model that says nothing would look like one that is wrong."""
    task, _ = made(" ...")
    for text in ("", " \n", "...", None):
        assert reason(graded(task, Condition.T2T, ReplyAnswer(text))) == "empty_reply"
    spoken = ReplyAnswer("Paris", clip=silence(1.0))
    assert reason(graded(task, Condition.S2S, spoken)) == "empty_reply"


def test_a_failed_transcription_is_the_items_failure() -> None:
    """Otherwise a transcriber's fault would be counted as a wrong answer."""
    task, _ = made(Failure("truncated_audio", "cut"))
    assert reason(graded(task, Condition.S2S, ReplyAnswer("Paris", clip=silence(1.0)))) == "truncated_audio"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"answers": ["Paris", " "]}, "has no word that could be found"),
        ({"answers": ["the"]}, "has no word that could be found"),
        ({"answers": []}, "must be a list of texts"),
        ({"answers": "Paris"}, "must be a list of texts"),
        ({"answers": [7]}, "must be a list of texts"),
        ({"audio": "../q1.opus"}, "leaves the data folder"),
        ({"question": ""}, "'question' must be a text"),
        ({"id": "q1"}, "stands in line 1 already"),
    ],
)
def test_a_bad_question_is_named(tmp_path: Path, changed: dict[str, Any], told: str) -> None:
    """Otherwise an empty accepted answer would be found in every reply, as in the reference."""
    file = tmp_path / "questions.jsonl"
    rows = [QUESTION, {**QUESTION, "id": "q2", **changed}]
    file.write_text("\n".join(json.dumps(row) for row in rows))
    with pytest.raises(SpeechzooError) as caught:
        read_questions(tmp_path)
    assert f"{file}:2: " in str(caught.value)
    assert told in str(caught.value)


def test_every_shipped_answer_answers_its_question_under_both_rules() -> None:
    """Otherwise a right reply could be counted as wrong."""
    task, _ = made()
    for item in task.items():
        for answer in item.data["answers"]:
            outcome = task.grade(item, Condition.T2T, ReplyAnswer(f"I think {answer}."))
            assert values(outcome) == {"exist": 1.0, "normalised": 1.0}


def test_the_spec_names_parameters_the_class_has() -> None:
    """Otherwise ``--set`` would fail on a documented option."""
    (spec,) = speechzoo_tasks()
    task, _ = made(**{name: parameter.default for name, parameter in spec.parameters.items()})
    assert task.ask(task.items()[0], Condition.T2T).max_tokens == spec.parameters["max_tokens"].default
