"""From a judge's answer to verdicts: what counts, what is lost, and that nothing is guessed."""

import json

import pytest
from pydantic import ValidationError
from speechzoo import ItemError
from speechzoo.judging import read_form

from speechzoo_mtalk_bench.rubric import criteria_of, read_verdict, read_verdicts, rubric_form
from speechzoo_mtalk_bench.words import content_density, words_in

IDS = ("criteria_s_1", "criteria_s_2", "criteria_s_10")


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (True, 1.0), (False, 0.0), ("Yes", 1.0), ("no.", 0.0), (" TRUE ", 1.0), (1, 1.0), (0, 0.0),
        (0.25, 0.25),
        ("1", 1.0), ("0.5", 0.5), ({"result": "yes", "reason": "no doubt"}, 1.0), ({"score": 0.5}, 0.5),
        ({"verdict": {"value": False}, "explanation": "yes"}, 0.0),
        ("maybe", None), (2, None), (-1, None), ("7", None), (None, None), ([True], None), ({}, None),
        ({"a": True, "b": False}, None), (float("nan"), None), ("", None),
    ],
)  # fmt: skip
def test_verdicts_are_read_in_every_agreed_form_and_no_other(value: object, verdict: float | None) -> None:
    """Otherwise a judge's way of writing yes decides a model's score."""
    assert read_verdict(value) == verdict


def test_ids_are_read_from_the_prompt_once_each() -> None:
    """Otherwise a criterion that is named twice counts twice."""
    assert criteria_of("criteria_s_2: a\ncriteria_s_1: b. See criteria_s_2 and criteria_x_1.") == (
        "criteria_s_2",
        "criteria_s_1",
    )
    with pytest.raises(ItemError, match="no_criteria"):
        criteria_of("Is it good?")


def test_a_missing_verdict_is_no_zero() -> None:
    """Otherwise a forgetful judge makes a model look bad."""
    told = json.dumps({"criteria_s_1": True, "criteria_s_2": "hm", "criteria_s_3": False, "reason": "so"})
    verdicts = read_verdicts(IDS, read_form(told, rubric_form(IDS)))
    assert verdicts.valid == {"criteria_s_1": 1.0}
    assert verdicts.invalid == ("criteria_s_2", "criteria_s_10", "criteria_s_3")
    assert verdicts.reason == "so"


@pytest.mark.parametrize("told", ["{}", '{"reason": "fine"}', "[]", "good", '{"criteria_d_1": true}'])
def test_an_answer_without_any_verdict_is_no_form(told: str) -> None:
    """Otherwise a judge that talks of something else is not asked again."""
    with pytest.raises((ValidationError, ValueError)):
        read_form(told, rubric_form(IDS))


def test_the_form_demands_a_truth_value_for_each_id() -> None:
    """Otherwise a judge may leave criteria out, or sees nothing to choose from."""
    schema = rubric_form(IDS).model_json_schema()
    assert schema["required"] == ["reason", *IDS]
    assert all(schema["properties"][name]["type"] == "boolean" for name in IDS)
    assert schema["additionalProperties"] is False


def test_content_density_by_hand() -> None:
    """Otherwise repetition passes for content."""
    assert words_in("It's 5 o’clock, isn't it?") == ["it's", "5", "o'clock", "isn't", "it"]
    assert content_density("The red cat and the red dog") == pytest.approx(3 / 4)
    assert content_density("It is so.") is None
