"""What a report says of single turns, from dialogues whose truth is known."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from speechzoo import stats
from speechzoo.asks import DialogueAnswer, Failure, ReplyAnswer
from speechzoo.gap import Report, degradation
from speechzoo.gap.turn_findings import PairedDifference, TurnFinding, TurnTrend
from speechzoo.gap.turns import FEW, MISSING, SHORTER
from speechzoo.run.records import Key, Result
from speechzoo.task import Grade
from tests.report.factory import ACCURACY, ERROR_RATE, SS, S, T, item, put, results, run_file, scored, talked

Turns = Mapping[str, Sequence[float | str]]


def report_of(*stages: Mapping[Key, Result], clusters: Mapping[str, str] | None = None) -> Report:
    names = sorted({key.item for stage in stages for key in stage})
    return degradation(results([item(name, (clusters or {}).get(name)) for name in names], *stages))


def finding_of(report: Report, name: str = "accuracy") -> TurnFinding:
    return next(finding for finding in report.by_turn if finding.name == name)


def trend_of(report: Report, stage: str) -> TurnTrend:
    return next(trend for trend in finding_of(report).trends if trend.stage == stage)


def dialogues(n: int, *turns: float) -> dict[str, list[float | str]]:
    return {f"d{place:02d}": [*turns] for place in range(n)}


def known(difference: PairedDifference | None) -> PairedDifference:
    assert difference is not None
    return difference


def test_each_turn_has_its_mean_and_tells_who_is_missing() -> None:
    """Otherwise: turns that failed lower a mean, raise it, or are not missed by anybody."""
    own: Turns = {"a": [1.0, 0.5, 0.0], "b": [0.5, "no_speech"], "c": ["timeout", 0.25, 0.25]}
    trend = trend_of(report_of(talked(T, own)), "T")
    means = [turn.estimate.value for turn in trend.turns if turn.estimate]
    assert means == pytest.approx([0.75, 0.375, 0.125])
    assert [turn.items for turn in trend.turns] == [2, 2, 2]
    assert [turn.invalid for turn in trend.turns] == [{"timeout": 1}, {"no_speech": 1}, {}]


def test_a_turn_without_the_value_is_told_from_one_that_failed() -> None:
    """Otherwise: what the task could not measure looks like a fault of the model."""
    own = talked(T, {"a": [1.0, 0.5], "b": [1.0, 1.0]})
    key = next(key for key in own if key.item == "b")
    own[key] = replace(own[key], outcome=Grade({"accuracy": 1.0}, by_turn=[{"accuracy": 1.0}, {}]))
    assert trend_of(report_of(own), "T").turns[1].invalid == {"no_value": 1}


def test_a_dialogue_that_failed_is_missed_at_each_turn_it_is_known_to_have() -> None:
    """Otherwise: a stage in which half of the dialogues failed looks complete from the second turn on."""
    text = talked(T, {"a": [1.0, 1.0, 1.0], "b": [1.0, 1.0]})
    heard = talked(S, {"b": [1.0, 1.0]})
    for name in ("a", "c"):
        key = Key(role="model", item=name, condition=S[1])
        heard |= [put(key, Failure("crashed"), Failure("crashed"))]
    report = report_of(text, heard)
    assert [turn.invalid for turn in trend_of(report, "S").turns] == [
        {"crashed": 2},
        {"crashed": 1},
        {"crashed": 1},
    ]
    assert trend_of(report, "S").turns[2].estimate is None


def test_an_ungraded_dialogue_is_missed_for_its_own_reason() -> None:
    """Otherwise: what the judge failed at counts as the model's silence."""
    key = Key(role="model", item="b", condition=T[1])
    replies = DialogueAnswer((ReplyAnswer("Yes."), Failure("no_speech")))
    report = report_of(talked(T, {"a": [1.0, 1.0]}), dict([put(key, replies, Failure("judge_error"))]))
    assert [turn.invalid for turn in trend_of(report, "T").turns] == [{"judge_error": 1}, {"no_speech": 1}]


def test_dialogues_that_go_on_are_no_model_that_gets_better() -> None:
    """Otherwise: easy dialogues, which are the longer ones, hide that nothing changes."""
    own = dialogues(10, 0.2) | {f"long-{place}": [0.8, 0.8] for place in range(10)}
    trend = trend_of(report_of(talked(T, own)), "T")
    first, second = (turn.estimate for turn in trend.turns)
    assert first is not None and second is not None
    assert (first.value, second.value) == pytest.approx((0.5, 0.8))
    change = known(trend.change)
    assert (change.items, change.estimate.value, change.clear) == (10, 0.0, False)


def test_a_change_is_settled_by_pairs() -> None:
    """Otherwise: a fall of every dialogue drowns in how much dialogues differ."""
    draws = np.random.default_rng(0)
    starts = draws.uniform(0.3, 1.0, 60)
    falls = draws.normal(0.05, 0.05, 60)
    own: Turns = {f"d{n:02d}": [s, s, s - f] for n, (s, f) in enumerate(zip(starts, falls, strict=True))}
    change = known(trend_of(report_of(talked(T, own)), "T").change)
    assert change.estimate.low is not None and change.estimate.high is not None
    assert change.estimate.value == pytest.approx(-falls.mean())
    half = 1.96 * falls.std(ddof=1) / math.sqrt(60)
    assert change.estimate.high - change.estimate.low == pytest.approx(2 * half, rel=0.1)
    assert change.clear and change.p < 0.001
    assert change.verdict.startswith("down 5.")


def test_speech_is_held_against_text_over_the_same_dialogues_at_each_turn() -> None:
    """Otherwise: a hard dialogue that only text got through is counted as a loss of text."""
    text = talked(T, dialogues(8, 1.0, 0.9) | {"only-read": [0.0, 0.0]})
    heard = talked(S, dialogues(8, 0.9, 0.6))
    (gap,) = finding_of(report_of(text, heard)).gaps
    assert (gap.first, gap.second) == ("T", "S")
    assert [known(turn).estimate.value for turn in gap.turns] == pytest.approx([-0.1, -0.3])
    assert [known(turn).items for turn in gap.turns] == [8, 8]
    assert known(gap.change).estimate.value == pytest.approx(-0.2), (
        "it loses more by speech the longer it talks"
    )


def test_a_stage_is_held_against_the_nearest_there_is() -> None:
    """Otherwise: a run of text and speech alone, which is the usual one, says nothing of the two."""
    three = [talked(stage, dialogues(6, 0.5, 0.5)) for stage in (T, S, SS)]
    assert [(gap.first, gap.second) for gap in finding_of(report_of(*three)).gaps] == [
        ("T", "S"),
        ("S", "SS"),
    ]
    (gap,) = finding_of(report_of(three[0], three[2])).gaps
    assert (gap.first, gap.second) == ("T", "SS")


def test_five_dialogues_settle_nothing_whatever_they_show() -> None:
    """Otherwise: a demonstration of five dialogues is quoted as a finding."""
    few = finding_of(report_of(talked(T, dialogues(5, 1.0, 0.0))))
    change = known(few.trends[0].change)
    assert (
        change.few and not change.clear and change.verdict == "too few dialogues to tell: down 100.0 points"
    )
    assert any("fewer than 6" in note for note in few.notes)
    six = finding_of(report_of(talked(T, dialogues(6, 1.0, 0.0))))
    assert known(six.trends[0].change).clear and six.notes == ()


def test_a_turn_that_failed_is_no_shorter_dialogue() -> None:
    """Otherwise: a reader looks for short dialogues that there are none of."""
    finding = finding_of(report_of(talked(T, dialogues(7, 0.4, 0.2) | {"d00": [0.4, "no_speech"]})))
    assert finding.notes == (MISSING,)
    longer = talked(T, dialogues(7, 0.4, 0.2) | {"long": [0.4, 0.2, 0.2]})
    assert finding_of(report_of(longer)).notes == (SHORTER, FEW)


def test_stages_that_lost_other_dialogues_are_told_apart() -> None:
    """Otherwise: eight dialogues here and eight there look like the same eight."""
    text = talked(T, dialogues(9, 0.4) | {"d00": ["timeout"]})
    heard = talked(S, dialogues(9, 0.4) | {"d01": ["timeout"]})
    assert finding_of(report_of(text, heard)).notes == (MISSING,)
    both = [talked(stage, dialogues(9, 0.4) | {"d00": ["timeout"]}) for stage in (T, S)]
    assert finding_of(report_of(*both)).notes == (), "both are over the same eight"


def test_dialogues_that_share_material_count_once() -> None:
    """Otherwise: one script in eight voices is eight dialogues."""
    own = dialogues(8, 1.0, 0.0)
    shared = {name: f"script-{place % 2}" for place, name in enumerate(own)}
    turn = trend_of(report_of(talked(T, own), clusters=shared), "T").turns[0]
    assert (turn.items, turn.few) == (8, True)


def test_the_last_turn_is_one_that_enough_dialogues_reach() -> None:
    """Otherwise: one dialogue of nine turns takes the comparison from all the others."""
    own = dialogues(8, 1.0, 0.5) | {"long": [1.0, 0.5, *[1.0] * 7]}
    finding = finding_of(report_of(talked(T, own)))
    assert finding.last == 2 and len(finding.trends[0].turns) == 9
    assert known(finding.trends[0].change).items == 9
    assert finding_of(report_of(talked(T, {"long": own["long"]}))).last == 9
    assert finding_of(report_of(talked(T, dialogues(8, 1.0)))).last is None


def test_the_last_turn_is_one_that_every_stage_reaches() -> None:
    """Otherwise: a turn that speech never got to hides what it does at the one before."""
    text, heard = talked(T, dialogues(8, 1.0, 0.8, 0.1)), talked(S, dialogues(8, 1.0, 0.5))
    finding = finding_of(report_of(text, heard))
    assert finding.last == 2
    assert known(finding.trends[1].change).items == 8
    assert known(finding.gaps[0].change).estimate.value == pytest.approx(-0.3)
    silent = talked(S, dialogues(8, 1.0))
    assert finding_of(report_of(text, silent)).last == 3, "no turn is compared in a stage that has one alone"


def test_turns_that_are_right_or_wrong_have_the_interval_of_a_count() -> None:
    """Otherwise: eight right replies of eight are said to be all there can ever be."""
    first, second = trend_of(report_of(talked(T, dialogues(8, 1.0, 0.5))), "T").turns
    assert first.estimate is not None and second.estimate is not None
    expected = stats.wilson(8, 8)
    assert (first.estimate.low, first.estimate.high) == (expected.low, expected.high)
    assert first.estimate.low < 0.7
    assert (second.estimate.low, second.estimate.high) == (0.5, 0.5), "a part of a point is no count"
    seconds = finding_of(report_of(talked(T, dialogues(8, 1.0), name="seconds")), "seconds")
    mean = seconds.trends[0].turns[0].estimate
    assert mean is not None and mean.low == 1.0, "one second eight times is no success"


def test_dialogues_weigh_what_the_task_says() -> None:
    """Otherwise: the mean by turn and the mean of the whole are of two different things."""
    made = talked(T, {"a": [1.0, 1.0], "b": [0.0, 1.0]}, weights={"a": 3.0, "b": 1.0})
    trend = trend_of(report_of(made), "T")
    assert [turn.estimate.value for turn in trend.turns if turn.estimate] == pytest.approx([0.75, 1.0])
    assert known(trend.change).estimate.value == pytest.approx(0.25)


def test_replies_that_were_cut_are_counted_at_their_turn() -> None:
    """Otherwise: the token limit is taken for how much a model has to say."""
    made = talked(T, dialogues(1, 30.0, 64.0))
    (key,) = made
    answer = DialogueAnswer((ReplyAnswer("Yes."), ReplyAnswer("Yes, and", truncated=True)))
    made[key] = replace(made[key], answer=answer)
    assert [turn.truncated for turn in trend_of(report_of(made), "T").turns] == [0, 1]


def test_values_that_are_metrics_come_first_and_in_their_unit() -> None:
    """Otherwise: 0.61 of one table is 61 of another, or 61 words are 6,100 per cent."""
    made = talked(T, dialogues(6, 1.0))
    for key, own in made.items():
        told = [{"words": 12.0, "error_rate": 0.5, "accuracy": 1.0}]
        made[key] = replace(own, outcome=Grade({"accuracy": 1.0}, by_turn=told))
    run = run_file(metrics=[ACCURACY, ERROR_RATE])
    report = degradation(results([item(name) for name in dialogues(6)], made, run=run))
    assert [(own.name, own.percent) for own in report.by_turn] == [
        ("accuracy", True),
        ("error_rate", False),
        ("words", False),
    ]


def test_a_value_that_one_stage_alone_has_is_shown_there() -> None:
    """Otherwise: seconds of speech, which no written reply has, are lost to all."""
    report = report_of(talked(T, dialogues(6, 1.0)), talked(SS, dialogues(6, 2.0), name="seconds"))
    own = finding_of(report, "seconds")
    assert [trend.stage for trend in own.trends] == ["SS"] and own.gaps == ()


def test_numbers_that_are_none_are_left_out() -> None:
    """Otherwise: one infinite value in a folder made elsewhere takes the whole report."""
    report = report_of(talked(T, {"a": [math.nan, 1.0], "b": [0.5, math.inf]}))
    assert [turn.items for turn in trend_of(report, "T").turns] == [1, 1]


def test_a_value_that_is_never_a_number_is_left_out_alone() -> None:
    """Otherwise: one value that a task computes wrongly takes the whole report."""
    made = talked(T, dialogues(6, 1.0))
    for key, own in made.items():
        told = [{"accuracy": 1.0, "pitch": math.nan}]
        made[key] = replace(own, outcome=Grade({"accuracy": 1.0}, by_turn=told))
    assert [finding.name for finding in report_of(made).by_turn] == ["accuracy"]


def test_tasks_without_turns_have_nothing_by_turn() -> None:
    """Otherwise: every report of single questions has an empty chapter."""
    assert report_of(scored(T, {"a": 1.0})).by_turn == ()


def test_equal_runs_give_equal_turns() -> None:
    """Otherwise: the same run prints another interval each time."""
    draws = np.random.default_rng(1).uniform(size=(40, 3)).tolist()
    own: Turns = {f"d{place:02d}": turns for place, turns in enumerate(draws)}
    assert (
        report_of(talked(T, own), talked(S, own)).by_turn == report_of(talked(T, own), talked(S, own)).by_turn
    )
