"""What a report claims, from runs whose truth is known."""

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from speechzoo.asks import Failure, ReplyAnswer
from speechzoo.gap import degradation
from speechzoo.gap.findings import Report
from speechzoo.gap.wording import number
from speechzoo.run.records import Key
from speechzoo.specs import Condition
from speechzoo.task import Grade
from tests.gap.parts import metric_of, stage_of, step_of
from tests.report.factory import (
    ACCURACY,
    CT,
    ERROR_RATE,
    JUDGE,
    SS,
    T0,
    TS,
    C,
    S,
    T,
    full_run,
    item,
    names,
    put,
    results,
    run_file,
    scored,
    some,
    valued,
    with_speech_continuations,
    with_values,
)


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


def test_what_is_kept_is_held_against_the_chance_of_the_items_themselves() -> None:
    """Otherwise a choice of four would have to beat the chance of a choice of two."""
    of_four = [item(name).model_copy(update={"chance": 0.25}) for name in names(100)]
    report = degradation(results(of_four, scored(T, some(100, 80)), scored(S, some(100, 60))))
    kept = step_of(report, "hearing and thinking").retention
    assert kept is not None
    assert kept.value == pytest.approx((0.6 - 0.25) / (0.8 - 0.25))
    mixed = [*of_four[:50], *map(item, names(100)[50:])]
    alternating = {name: 1.0 if place % 5 else -1.0 for place, name in enumerate(names(100))}
    half = {name: value if place % 4 else -1.0 for place, (name, value) in enumerate(alternating.items())}
    kept = step_of(
        degradation(results(mixed, scored(T, alternating), scored(S, half))), "hearing and thinking"
    ).retention
    assert kept is not None
    assert kept.value == pytest.approx((0.6 - 0.375) / (0.8 - 0.375))


def test_nothing_is_kept_of_a_value_whose_printed_interval_holds_chance() -> None:
    """Otherwise: a share of chance is printed as what a model keeps."""
    small = degradation(results(map(item, names(13)), scored(T, some(13, 10)), scored(S, some(13, 9))))
    printed_interval = stage_of(small, "T").estimate
    assert printed_interval is not None and printed_interval.low is not None
    assert printed_interval.low < 0.5
    assert small.steps[0].retention is None
    level = degradation(results(map(item, names(100)), scored(T, some(100, 60)), scored(S, some(100, 50))))
    assert level.steps[0].retention is not None
    chance = level.metric.model_copy(update={"chance": 0.52})
    run = run_file(metrics=[chance])
    near = results(map(item, names(100)), scored(T, some(100, 60)), scored(S, some(100, 50)), run=run)
    assert degradation(near).steps[0].retention is None


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
    report = degradation(results([item("i000")], answered, run=run))
    found = stage_of(report, "T")
    assert found.seconds == {"speak": 3.0}
    assert [row.metric.name for row in report.metrics] == ["accuracy"]


def test_items_that_share_material_are_judged_by_the_clustered_p() -> None:
    """Otherwise: items asked in many wordings settle a loss that few independent items show."""
    items = [item(name, cluster=f"c{place % 8}") for place, name in enumerate(names(80))]
    speech: dict[str, float | str] = {
        name: 1.0 if place % 8 > 4 else -1.0 for place, name in enumerate(names(80))
    }
    step = degradation(results(items, scored(T, some(80, 80)), scored(S, speech))).steps[0]
    assert step.p < 1e-9
    assert step.p_flip == pytest.approx(2 / 2**5, abs=0.01)
    assert step.loss.low is not None and step.loss.low > 0
    assert not step.clear
    assert step.verdict.startswith("not settled: down 62.5 points, but sign-flip p = 0.0")
    alone = degradation(results(map(item, names(80)), scored(T, some(80, 80)), scored(S, speech))).steps[0]
    assert alone.p_flip is None
    assert alone.clear


def weighed(changes: list[tuple[int, float, float]], unchanged: int) -> Report:
    """Counts of items, their weight, and what speech makes of them; the unchanged ones weigh 1."""
    text: dict[Key, Any] = {}
    speech: dict[Key, Any] = {}
    place = 0
    for count, weight, after in [*changes, (unchanged, 1.0, 0.5)]:
        for own in range(place, place + count):
            before = 0.5 if after == 0.5 else 1 - after
            text |= valued(T, {f"i{own:03d}": before}, weight)
            speech |= valued(S, {f"i{own:03d}": after}, weight)
        place += count
    return degradation(results(map(item, names(place)), text, speech))


def test_a_loss_rests_on_a_test_of_that_loss() -> None:
    """Otherwise: "loses" stands beside a p of the many light items that were gained."""
    step = weighed([(40, 3.0, 0.0), (70, 1.0, 1.0)], 1_800).steps[0]
    assert (step.lost, step.gained) == (40, 70)
    assert step.p == pytest.approx(0.0054, abs=1e-4), "in favour of a gain"
    assert step.p_flip is not None
    # Sum 3 * 40 - 70 = 50 against a variance of 9 * 40 + 70; its values lie 2 apart.
    assert step.p_flip == pytest.approx(2 * norm.sf((50 - 1) / math.sqrt(430)), abs=1e-3)
    assert step.verdict.startswith("loses 2.5 points")
    few = weighed([(5, 30.0, 0.0), (20, 1.0, 1.0)], 100).steps[0]
    assert few.p < 0.05 and few.loss.low is not None and few.loss.low > 0
    assert few.p_flip == pytest.approx(2 / 2**5)
    assert not few.clear and few.verdict.endswith("but sign-flip p = 0.062")
    halves = degradation(
        results(
            map(item, names(30)),
            valued(T, dict.fromkeys(names(30), 1.0)),
            valued(S, {name: 0.5 if place < 9 else 1.0 for place, name in enumerate(names(30))}),
        )
    ).steps[0]
    assert halves.p_flip == pytest.approx(2 / 2**9)


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0.0, 1.0]), st.sampled_from([1.0, 3.0])),
        min_size=2,
        max_size=30,
    )
)
def test_the_test_points_the_way_the_claim_does(drawn: list[tuple[float, float, float]]) -> None:
    """Otherwise: a gain is called a loss because other items outnumber the heavy ones."""
    stages: list[dict[Key, Any]] = [{}, {}]
    for place, (before, after, weight) in enumerate(drawn):
        for made, value, stage in zip(stages, (before, after), (T, S), strict=True):
            made |= valued(stage, {f"i{place:03d}": value}, weight)
    step = degradation(results(map(item, names(len(drawn))), *stages)).steps[0]
    total = sum(weight * (before - after) for before, after, weight in drawn)
    assert step.loss.value == pytest.approx(total / sum(weight for *_, weight in drawn), abs=1e-12)
    if step.p_flip is None:
        assert (step.lost > step.gained) == (total > 0)
    if step.clear:
        assert step.verdict.startswith("loses" if total > 0 else "gains")


@pytest.mark.filterwarnings("error")
def test_huge_values_are_written_in_short() -> None:
    """Otherwise: one diverged item fills the terminal with three hundred digits."""
    metrics = [ACCURACY, ERROR_RATE]
    own = {"i000": 1e308, "i001": 2.0, "i002": 1e308}
    stages = [with_values(scored(stage, some(3, 3)), "error_rate", own) for stage in (T, S)]
    report = degradation(results(map(item, names(3)), *stages, run=run_file(metrics=metrics)))
    value = metric_of(report, "error_rate").values["S"]
    assert value.value == pytest.approx(2 / 3 * 1e308)
    assert number(value.value, percent=False) == "6.667e+307"
    assert number(-2.5e7, percent=False, signed=True) == "-2.5e+07"
    assert number(999_999.0, percent=False) == "999999.00"
    losses = [valued(stage, own, metric="error_rate") for stage in (T, S)]
    alone = degradation(results(map(item, names(3)), *losses, run=run_file(metrics=[ERROR_RATE])))
    assert alone.steps[0].loss.value == 0


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


def test_speech_continuations_are_a_family_of_their_own() -> None:
    """Otherwise: scores over speech tokens are subtracted from scores over text tokens."""
    items = [with_speech_continuations(item(name)) for name in names(40)]
    heard = some(40, 20) | {"i039": "too_long"}
    report = degradation(
        results(
            items,
            scored(T, some(40, 36)),
            scored(S, some(40, 30) | {"i000": "too_long"}),
            scored(TS, some(40, 26)),
            scored(SS, heard),
        )
    )
    assert [stage.name for stage in report.stages] == ["T", "S", "TS", "SS"]
    assert [stage.speech_scored for stage in report.stages] == [False, False, True, True]
    assert stage_of(report, "SS").words == "speech in, speech continuations scored"
    assert [(step.first, step.second) for step in report.steps] == [("T", "S"), ("TS", "SS")]
    assert report.steps[1].name == "hearing and thinking, speech continuations"
    assert report.steps[1].lost == 6
    assert report.main == 0
    assert (stage_of(report, "S").used, stage_of(report, "SS").used) == (39, 39)
    assert report.items_used == 39
    assert stage_of(report, "T").estimate is not None
    assert stage_of(report, "T").estimate.value == pytest.approx(35 / 39), "without the first item only"
    assert [list(row.values) for row in report.metrics] == [["T", "S"], ["TS", "SS"]]
    assert any("share no step" in warning for warning in report.warnings)
    alone = degradation(results(items, scored(TS, some(40, 26)), scored(SS, heard)))
    assert alone.main == 0
    assert alone.headline.startswith(
        "tiny-speech-lm loses 15.4 points when the context is spoken, by its speech"
    )
    spoken = degradation(results(map(item, names(40)), scored(S, some(40, 26)), scored(SS, some(40, 20))))
    assert spoken.steps[0].name == "speaking", "generated replies stay with the others"


def test_a_step_says_what_it_could_have_found() -> None:
    """Otherwise: "no loss shown" over too few items is read as "no loss"."""
    report = degradation(results(map(item, names(400)), scored(T, some(400, 300)), scored(S, some(400, 292))))
    step = report.steps[0]
    error = math.sqrt((8 / 400 - (8 / 400) ** 2) / 400)
    assert step.smallest_loss == pytest.approx(2.8016 * error, rel=0.04)
    assert step.items_for_point is not None
    assert step.items_for_point == pytest.approx(400 * (step.smallest_loss / 0.01) ** 2, abs=1)
    twins = [item(name, cluster=f"c{place // 2}") for place, name in enumerate(names(400))]
    shared = degradation(results(twins, scored(T, some(400, 300)), scored(S, some(400, 292)))).steps[0]
    assert shared.smallest_loss is not None
    assert shared.smallest_loss > 1.3 * step.smallest_loss, "400 items in pairs tell less than 400 alone"
    same = degradation(results(map(item, names(40)), scored(T, some(40, 30)), scored(S, some(40, 30))))
    assert same.steps[0].smallest_loss is None, "no difference tells nothing of what could be found"
    judged = run_file(metrics=[JUDGE])
    grades = [
        valued(stage, {n: float(4 + ord(n[-1]) % 3) for n in names(30)}, metric="judge") for stage in (T, S)
    ]
    assert degradation(results(map(item, names(30)), *grades, run=judged)).steps[0].smallest_loss is None


def test_what_the_rivals_ears_cost_is_a_step() -> None:
    """Otherwise: a cascade's loss to its recogniser is taken for its LLM's."""
    stages = (
        scored(T, some(40, 36)),
        scored(S, some(40, 30)),
        scored(CT, some(40, 38)),
        scored(C, some(40, 28)),
    )
    report = degradation(results(map(item, names(40)), *stages))
    step = step_of(report, "the rival's hearing")
    assert (step.first, step.second, step.lost) == ("CT", "C", 10)
    assert report.steps[report.main or 0].name == "hearing and thinking"


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
