"""What a report claims, from runs whose truth is known."""

import math
from pathlib import Path
from typing import Any

import pytest

from speechzoo.asks import Failure, ReplyAnswer
from speechzoo.errors import SpeechzooError
from speechzoo.gap import compare, degradation
from speechzoo.gap.findings import Report, Stage, Step
from speechzoo.run.records import Key
from speechzoo.specs import Condition
from speechzoo.task import Grade
from tests.report.factory import (
    ACCURACY,
    ERROR_RATE,
    JUDGE,
    SS,
    T0,
    C,
    S,
    T,
    full_run,
    item,
    put,
    results,
    run_file,
    scored,
    valued,
    with_model_name,
)


def names(n: int) -> list[str]:
    return [f"i{place:03d}" for place in range(n)]


def some(n: int, right: int) -> dict[str, float | str]:
    """The first ``right`` of n items right."""
    return {name: 1.0 if place < right else -1.0 for place, name in enumerate(names(n))}


def stage_of(report: Report, name: str) -> Stage:
    return next(stage for stage in report.stages if stage.name == name)


def step_of(report: Report, name: str) -> Step:
    return next(step for step in report.steps if step.name == name)


def test_the_steps_add_up_and_state_a_clear_loss() -> None:
    run = results(
        map(item, names(100)), scored(T0, some(100, 90)), scored(T, some(100, 80)), scored(S, some(100, 60))
    )
    report = degradation(run)
    assert [stage.name for stage in report.stages] == ["T0", "T", "S"]
    hearing = step_of(report, "hearing and thinking")
    assert hearing.loss.value == pytest.approx(0.2)
    assert (hearing.lost, hearing.gained) == (20, 0)
    assert hearing.p == pytest.approx(2 / 2**20)
    assert hearing.relative == pytest.approx(0.25)
    assert hearing.retention is not None
    assert hearing.retention.value == pytest.approx(1 / 3)
    assert hearing.verdict.startswith("loses 20.0 points (")
    assert step_of(report, "forgetting").loss.value == pytest.approx(0.1)
    assert report.headline.startswith(
        "tiny-speech-lm loses 20.0 points when the context is spoken (95 % interval 1"
    )


def test_no_loss_is_claimed_that_the_interval_or_the_test_does_not_carry() -> None:
    same = degradation(results(map(item, names(30)), scored(T, some(30, 20)), scored(S, some(30, 20))))
    assert same.steps[0].verdict == "no loss shown: every item is worth the same"
    assert "every item is worth the same" in same.headline
    assert same.steps[0].loss.value == same.steps[0].loss.low == same.steps[0].loss.high == 0
    one = degradation(results(map(item, names(30)), scored(T, some(30, 20)), scored(S, some(30, 19))))
    assert one.steps[0].verdict.startswith("no loss shown: the interval holds 0")
    all_of_five = degradation(results(map(item, names(5)), scored(T, some(5, 5)), scored(S, some(5, 0))))
    assert all_of_five.steps[0].verdict == "not settled: down 100.0 points, but exact p = 0.062"
    assert "a loss of 100.0 points" in all_of_five.headline and "not settled" in all_of_five.headline


def test_a_gain_is_no_loss() -> None:
    report = degradation(results(map(item, names(40)), scored(T, some(40, 20)), scored(S, some(40, 35))))
    assert report.steps[0].verdict.startswith("gains 37.5 points")
    assert (report.steps[0].lost, report.steps[0].gained) == (0, 15)
    assert report.steps[0].retention is None, "text is at chance"


def test_values_are_over_the_items_valid_in_every_stage() -> None:
    speech = some(40, 20) | {"i000": "too_long", "i001": "too_long", "i002": "non_finite"}
    report = degradation(results(map(item, names(40)), scored(T, some(40, 30)), scored(S, speech)))
    text, heard = stage_of(report, "T"), stage_of(report, "S")
    assert (text.planned, text.valid, text.used) == (40, 40, 37)
    assert (heard.planned, heard.valid, heard.used) == (40, 37, 37)
    assert text.estimate is not None
    assert text.estimate.value == pytest.approx(27 / 37)
    assert heard.invalid == {"too_long": 2, "non_finite": 1}
    assert heard.bounds == (pytest.approx(17 / 40), pytest.approx(20 / 40))
    assert report.items[0].change == "invalid"
    assert report.items[0].cells["S"].invalid == "too_long"
    assert any("37 of 40" in warning for warning in report.warnings)
    assert (report.planned_count(), report.invalid_count()) == (80, 3)


def test_items_that_could_not_be_asked_or_were_not_reached_are_counted() -> None:
    items = [item(name) for name in names(4)]
    broken = items[0].model_copy(
        update={
            "asks": {Condition.T2T: items[0].asks[Condition.T2T]},
            "failures": {Condition.S2T: ("not_audio", "x")},
        }
    )
    speech = {name: margin for name, margin in some(4, 4).items() if name > "i001"}
    report = degradation(results([broken, *items[1:]], scored(T, some(4, 4)), scored(S, speech)))
    assert stage_of(report, "S").invalid == {"not_audio": 1, "not_answered": 1}


def test_one_stage_alone_is_a_report() -> None:
    report = degradation(results(map(item, names(20)), scored(T, some(20, 15))))
    assert report.steps == ()
    assert report.main is None
    assert report.hearing is None
    assert (
        report.headline
        == "tiny-speech-lm: accuracy 75.0 % with text in, text out (95 % interval 53.1 to 88.8)"
    )
    assert stage_of(report, "T").method == "wilson"


def test_a_run_without_any_valid_item_says_so() -> None:
    bad: dict[str, float | str] = dict.fromkeys(names(6), "out_of_memory")
    report = degradation(results(map(item, names(6)), scored(T, bad), scored(S, bad)))
    assert report.headline == "Nothing was measured: none of 6 items has a valid answer"
    assert stage_of(report, "S").estimate is None
    assert stage_of(report, "S").bounds == (0, 1)


def test_a_stage_without_valid_items_does_not_void_the_others() -> None:
    bad: dict[str, float | str] = dict.fromkeys(names(20), "out_of_memory")
    report = degradation(results(map(item, names(20)), scored(T, some(20, 15)), scored(S, bad)))
    assert stage_of(report, "T").used == 20
    assert stage_of(report, "S").used == 0
    assert report.warnings[0].startswith("S (speech in, text out): none of 20 items is valid")


def test_a_run_cut_short_says_how_far_it_came() -> None:
    """Otherwise: the values of half a benchmark are quoted as the benchmark's."""
    key = Key(role="model", item="i012", condition=Condition.S2T)
    ungraded = dict([put(key, ReplyAnswer("It grew."), Failure("not_graded", "x"))])
    speech = {name: margin for name, margin in some(40, 12).items() if name < "i012"}
    report = degradation(results(map(item, names(40)), scored(T, some(40, 30)), scored(S, speech), ungraded))
    assert report.warnings[0] == (
        "The run is not finished: 12 of 40 items answered; run the same command again."
    )
    assert stage_of(report, "S").invalid == {"not_answered": 27, "not_graded": 1}
    assert report.items_used == 12
    assert report.items[12].cells["S"].text == "It grew."


def test_a_rival_that_was_not_reached_is_not_forgotten() -> None:
    """Otherwise: a run stopped before its rival looks finished."""
    run = run_file()
    rival = run.systems["rival"].model_copy(update={"conditions": (Condition.S2T,)})
    run = run.model_copy(update={"systems": {**run.systems, "rival": rival}})
    report = degradation(results(map(item, names(4)), scored(T, some(4, 3)), scored(S, some(4, 3)), run=run))
    assert stage_of(report, "C").invalid == {"not_answered": 4}
    assert report.warnings[0].startswith("The run is not finished: 0 of 4")


@pytest.mark.parametrize(
    ("weight", "reason"), [(0.0, "no_weight"), (-1.0, "no_weight"), (float("nan"), "non_finite")]
)
def test_an_item_that_weighs_nothing_has_its_own_reason(weight: float, reason: str) -> None:
    """Otherwise: somebody looks for NaN in a model whose task left the item out of the mean."""
    text = valued(T, {"i000": 1.0}, weight) | valued(T, {"i001": 1.0})
    assert stage_of(degradation(results(map(item, names(2)), text)), "T").invalid == {reason: 1}


def test_timings_that_could_not_be_taken_are_left_out() -> None:
    """Otherwise: one null in a plugin's timings costs the whole report."""
    spent: Any = {"listen": None, "think": float("nan"), "speak": 3.0}
    key = Key(role="model", item="i000", condition=Condition.T2T)
    answered = dict([put(key, ReplyAnswer("x", timings=spent), Grade({"accuracy": 1.0, "other": math.nan}))])
    run = run_file(metrics=[ACCURACY, ERROR_RATE.model_copy(update={"name": "other"})])
    found = stage_of(degradation(results([item("i000")], answered, run=run)), "T")
    assert found.seconds == {"speak": 3.0}
    assert found.metrics == {}


def test_items_that_share_material_are_judged_by_the_clustered_p() -> None:
    """Otherwise: items asked in many wordings settle a loss that few independent items show."""
    items = [item(name, cluster=f"c{place % 8}") for place, name in enumerate(names(80))]
    speech: dict[str, float | str] = {
        name: 1.0 if place % 8 > 4 else -1.0 for place, name in enumerate(names(80))
    }
    step = degradation(results(items, scored(T, some(80, 80)), scored(S, speech))).steps[0]
    assert step.p < 1e-9
    assert step.p_clustered == pytest.approx(2 / 2**5, abs=0.01)
    assert step.loss.low is not None and step.loss.low > 0
    assert not step.clear
    assert step.verdict.startswith("not settled: down 62.5 points, but clustered p = 0.0")
    alone = degradation(results(map(item, names(80)), scored(T, some(80, 80)), scored(S, speech))).steps[0]
    assert alone.p_clustered is None
    assert alone.clear


def test_fractional_values_are_weighted_and_clustered() -> None:
    items = [item(name, cluster=f"c{place // 2}") for place, name in enumerate(names(60))]
    text = dict.fromkeys(names(60), 1.0)
    speech = {name: 1 / 3 if place % 3 else 1.0 for place, name in enumerate(names(60))}
    report = degradation(results(items, valued(T, text, 3.0), valued(S, speech, 3.0)))
    step = report.steps[0]
    assert stage_of(report, "S").method == "bootstrap"
    assert step.loss.value == pytest.approx(40 * (2 / 3) / 60)
    assert (step.lost, step.gained) == (40, 0)
    assert step.verdict.startswith("loses 44.4 points")


def test_for_error_rates_a_rise_is_the_loss() -> None:
    run = run_file(metrics=[ERROR_RATE])
    text = dict.fromkeys(names(30), 0.1)
    speech = {name: 0.4 + 0.001 * place for place, name in enumerate(names(30))}
    report = degradation(
        results(
            map(item, names(30)),
            valued(T, text, metric="error_rate"),
            valued(S, speech, metric="error_rate"),
            run=run,
        )
    )
    assert not report.percent
    assert report.steps[0].loss.value == pytest.approx(0.3145)
    assert report.steps[0].lost == 30
    assert report.steps[0].verdict.startswith("loses 0.31 (")
    assert stage_of(report, "S").bounds is None
    assert report.items[0].change == "lost"


def test_judges_scores_have_no_retention_and_no_points() -> None:
    run = run_file(metrics=[JUDGE])
    text = {name: 7.0 + place % 3 for place, name in enumerate(names(30))}
    speech = {name: 6.0 + place % 2 for place, name in enumerate(names(30))}
    report = degradation(
        results(
            map(item, names(30)), valued(T, text, metric="judge"), valued(S, speech, metric="judge"), run=run
        )
    )
    assert report.steps[0].retention is None
    assert "points" not in report.headline


def test_breakdowns_by_word_number_and_word_error_rate() -> None:
    items = [
        item(name, voice="joe" if place % 2 else "ana", words=place, only="x")
        for place, name in enumerate(names(30))
    ]
    wers = {name: [0.0, 0.05, 0.2, 0.9][place % 4] for place, name in enumerate(names(30))}
    report = degradation(results(items, scored(T, some(30, 30)), scored(S, some(30, 15), wers=wers)))
    found = {breakdown.name: breakdown for breakdown in report.breakdowns}
    assert list(found) == ["voice", "words", "word error rate of what was heard"]
    assert [group.label for group in found["voice"].groups] == ["ana", "joe"]
    assert [group.items for group in found["words"].groups] == [10, 10, 10]
    assert [group.values["S"] for group in found["words"].groups] == [1.0, 0.5, 0.0]
    first = found["words"].groups[0].loss
    assert first is not None
    assert first.value == 0
    labels = [group.label for group in found["word error rate of what was heard"].groups]
    assert labels == ["0 %", "up to 10 %", "10 to 30 %", "over 30 %"]


def test_a_model_that_does_not_hear_is_named() -> None:
    deaf = scored(S, some(8, 4))
    report = degradation(
        results(
            map(item, names(8)),
            scored(T, some(8, 8)),
            deaf,
            scored(S, some(8, 4), "swapped"),
            scored(S, some(8, 4), "silence"),
        )
    )
    assert report.hearing is not None
    assert report.hearing.heard is False
    assert report.hearing.verdict.startswith(
        "the audio does not change the answers: 0 of 8 changed when it was"
    )
    assert report.warnings[0].startswith("The audio hardly changes the answers")
    assert report.hearing.probes[0].mean_change == 0


def test_a_model_that_hears_is_not_accused() -> None:
    moved = dict.fromkeys(names(4), 0.5)
    report = degradation(
        results(
            map(item, names(8)), scored(T, some(8, 8)), scored(S, some(8, 8)), scored(S, moved, "swapped")
        )
    )
    assert report.hearing is not None
    assert report.hearing.heard is True
    assert (
        report.hearing.verdict == "the audio changes the answers: 4 of 4 changed when it was another item's"
    )
    probe = report.hearing.probes[0]
    assert (probe.items, probe.changed) == (4, 4)
    assert probe.mean_change == pytest.approx(0.25)
    assert probe.mean_margin_change == pytest.approx(0.5)


def test_replies_are_probed_by_their_text() -> None:
    probed = {}
    for place, name in enumerate(names(4)):
        key = Key(role="model", item=name, condition=Condition.S2T, variant="swapped")
        text = f"reply to {name}" if place else "something else"
        probed.update([put(key, ReplyAnswer(text), Grade({"accuracy": 0.0}))])
    report = degradation(results(map(item, names(4)), valued(S, dict.fromkeys(names(4), 1.0)), probed))
    assert report.hearing is not None
    assert report.hearing.heard is False
    assert report.hearing.probes[0].changed == 1
    assert report.hearing.probes[0].mean_change is None


@pytest.mark.parametrize("part", [False, True])
def test_sampled_replies_do_not_tell_whether_the_audio_changes_them(part: bool) -> None:
    """Otherwise: a deaf model that draws its replies at random is said to hear."""
    probed = {}
    for name in names(4):
        key = Key(role="model", item=name, condition=Condition.S2T, variant="swapped")
        probed.update([put(key, ReplyAnswer("something else"), Grade({"accuracy": 0.0}))])
    drawn = {"parameters": {"temperature": 0.7}}
    run = run_file()
    identity = {**run.systems["model"].identity, **({"parts": {"llm": drawn}} if part else drawn)}
    system = run.systems["model"].model_copy(update={"identity": identity})
    run = run.model_copy(update={"systems": {**run.systems, "model": system}})
    items = [item(name) for name in names(4)]
    replied = degradation(results(items, valued(S, dict.fromkeys(names(4), 1.0)), probed, run=run))
    assert replied.hearing is not None
    assert replied.hearing.heard is None
    assert "replies are drawn at random (temperature 0.7)" in replied.hearing.verdict
    assert replied.warnings == ()
    likelihoods = scored(S, some(4, 4)) | scored(S, some(4, 0), "swapped")
    weighed = degradation(results(items, likelihoods, run=run))
    assert weighed.hearing is not None
    assert weighed.hearing.heard is True, "likelihoods are not drawn"


def test_the_prior_is_held_against_chance() -> None:
    above = degradation(
        results(map(item, names(60)), scored(T, some(60, 60)), scored(T, some(60, 50), "prior"))
    )
    assert above.prior is not None
    assert above.prior.items == 60
    assert "give something away" in above.prior.verdict
    level = degradation(
        results(map(item, names(60)), scored(T, some(60, 60)), scored(T, some(60, 31), "prior"))
    )
    assert level.prior is not None
    assert "no sign" in level.prior.verdict


def test_rows_tell_what_was_asked_and_answered(tmp_path: Path) -> None:
    report = degradation(full_run(tmp_path, n=20))
    row = report.items[0]
    assert row.asks[Condition.S2T].spoken
    assert row.cells["SS"].clips == ("audio/story-000.flac",)
    assert row.cells["SS"].truncated
    assert row.cells["S"].scores[0] == 2.0
    assert row.margin_gap == pytest.approx(
        row.cells["T"].details["margin"] - row.cells["S"].details["margin"]
    )
    assert [stage.name for stage in report.stages] == ["T0", "T", "S", "SS", "C"]
    assert Report.model_validate_json(report.model_dump_json()) == report


def test_equal_runs_give_equal_reports(tmp_path: Path) -> None:
    run = full_run(tmp_path, n=12)
    assert degradation(run) == degradation(run)


def test_a_grade_without_the_metric_is_not_averaged() -> None:
    key = Key(role="model", item="i000", condition=Condition.T2T)
    report = degradation(results([item("i000")], dict([put(key, ReplyAnswer("x"), Grade({"other": 1.0}))])))
    assert stage_of(report, "T").invalid == {"not_applicable": 1}


def test_models_are_compared_over_common_items() -> None:
    items = [item(name) for name in names(40)]
    one = results(items, scored(T, some(40, 38)), scored(S, some(40, 30) | {"i000": "too_long"}))
    two = with_model_name(results(items, scored(T, some(40, 20)), scored(S, some(40, 30))), "other", "two")
    three = with_model_name(results(items, scored(T, some(40, 38))), "third", "three")
    comparison = compare([one, two, three])
    text, speech = comparison.tables
    assert (text.condition, text.items, speech.items) == ("t2t", 40, 39)
    assert [entry.model for entry in text.entries] == ["tiny-speech-lm", "third", "other"]
    assert len(text.pairs) == 3
    pair = text.pairs[0]
    assert (pair.first, pair.second, pair.first_better, pair.second_better) == (
        "tiny-speech-lm",
        "other",
        18,
        0,
    )
    assert pair.lead.value == pytest.approx(0.45)
    assert pair.p < pair.p_holm
    assert (speech.pairs[0].lead.value, speech.pairs[0].p_holm) == (0, 1)
    assert pair.clear
    assert pair.verdict.startswith("tiny-speech-lm ahead of other by 45.0 points (")
    assert pair.verdict.endswith(": settled")
    assert not speech.pairs[0].clear
    assert speech.pairs[0].verdict == (
        "tiny-speech-lm against other: no difference shown, the interval holds 0"
    )
    assert comparison.notes == ()


def test_a_lead_is_settled_only_after_adjustment_for_all_tests() -> None:
    """Otherwise: with enough models side by side one is better than another by chance."""
    items = [item(name) for name in names(20)]
    runs = [
        with_model_name(results(items, scored(T, some(20, right))), f"model-{place}", f"run-{place}")
        for place, right in enumerate((14, 20, 20, 20))
    ]
    pair = compare(runs).tables[0].pairs[0]
    assert pair.p < 0.05 < pair.p_holm
    assert not pair.clear
    assert pair.verdict.startswith("model-1 ahead of model-0 by 30.0 points (")
    assert ": not settled, adjusted p = 0." in pair.verdict


def test_models_are_judged_by_clusters_where_items_share_material() -> None:
    """Otherwise: twins make a lead look twice as sure as it is."""
    items = [item(name, cluster=f"c{place % 8}") for place, name in enumerate(names(80))]
    worse: dict[str, float | str] = {
        name: 1.0 if place % 8 > 4 else -1.0 for place, name in enumerate(names(80))
    }
    one = results(items, scored(T, some(80, 80)))
    comparison = compare([one, with_model_name(results(items, scored(T, worse)), "other", "two")])
    pair = comparison.tables[0].pairs[0]
    assert pair.p < 1e-9 < 0.05 < pair.p_holm == pair.p_clustered
    assert not pair.clear
    assert comparison.notes[0].startswith("Exact p takes items as independent")


def test_runs_of_other_data_are_not_compared() -> None:
    one = results([item("a")], scored(T, {"a": 1.0}))
    task = one.run.task.model_copy(update={"identity": {"name": "s2sbench-mini", "data": "changed"}})
    two = results([item("a")], scored(T, {"a": 1.0}), run=one.run.model_copy(update={"task": task}))
    with pytest.raises(SpeechzooError, match="data: '0f0f0f0f' and 'changed'"):
        compare([one, two])
    with pytest.raises(SpeechzooError, match="at least two"):
        compare([one])
    with pytest.raises(SpeechzooError, match="compared with itself"):
        compare([one, one])


def test_a_run_without_valid_answers_is_left_out_of_a_comparison() -> None:
    items = [item(name) for name in names(5)]
    good = results(items, scored(T, some(5, 3)))
    bad = with_model_name(results(items, scored(T, dict.fromkeys(names(5), "crashed"))), "bad", "bad")
    comparison = compare([good, bad])
    assert comparison.warnings == ("t2t: bad has no valid item and is left out.",)
    assert [entry.model for entry in comparison.tables[0].entries] == ["tiny-speech-lm"]


def test_a_failed_answer_is_no_probe() -> None:
    key = Key(role="model", item="i000", condition=Condition.S2T, variant="swapped")
    failed = Failure("crashed")
    report = degradation(
        results(
            [item("i000")],
            scored(S, {"i000": 1.0}),
            dict([put(key, failed, failed)]),
            scored(SS, {"i000": 1.0}),
            scored(C, {"i000": 1.0}),
        )
    )
    assert report.hearing is not None
    assert report.hearing.heard is None
