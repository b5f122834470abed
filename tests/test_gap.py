"""What a report claims, from runs whose truth is known."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from speechzoo.asks import Failure, ReplyAnswer
from speechzoo.errors import SpeechzooError
from speechzoo.gap import compare, degradation
from speechzoo.gap.findings import Breakdown, MetricRow, Report, Stage, Step
from speechzoo.gap.wording import number
from speechzoo.registry import Published
from speechzoo.run.records import Key, MetricInfo, Result
from speechzoo.specs import Condition
from speechzoo.task import Grade
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
    put,
    results,
    run_file,
    scored,
    valued,
    with_model_name,
    with_seconds,
    with_speech_continuations,
    with_values,
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


def test_breakdowns_by_word_number_and_word_error_rate() -> None:
    items = [
        item(name, voice="joe" if place % 2 else "ana", words=place, only="x")
        for place, name in enumerate(names(30))
    ]
    wers = {name: [0.0, 0.05, 0.2, 0.9][place % 4] for place, name in enumerate(names(30))}
    report = degradation(results(items, scored(T, some(30, 30)), scored(S, some(30, 15), wers=wers)))
    found = {breakdown.name: breakdown for breakdown in report.breakdowns}
    assert list(found) == ["voice", "words", "word error rate of what the model heard"]
    assert [group.label for group in found["voice"].groups] == ["ana", "joe"]
    assert [group.items for group in found["words"].groups] == [10, 10, 10]
    assert [group.values["S"].value for group in found["words"].groups] == [1.0, 0.5, 0.0]
    first = found["words"].groups[0].loss
    assert first is not None
    assert first.value == 0
    labels = [group.label for group in found["word error rate of what the model heard"].groups]
    assert labels == ["0 %", "up to 10 %", "10 to 30 %", "over 30 %"]


def metric_of(report: Report, name: str) -> MetricRow:
    return next(row for row in report.metrics if row.metric.name == name)


def breakdown_of(report: Report, name: str) -> Breakdown:
    return next(own for own in report.breakdowns if own.name == name)


def test_every_metric_has_items_and_intervals_of_its_own() -> None:
    """Otherwise: metrics that stand side by side are over different items, or look exact."""
    losses = {name: 2.0 + 0.01 * place for place, name in enumerate(names(60))}
    higher = {name: loss + 0.5 + 0.02 * (place % 3) for place, (name, loss) in enumerate(losses.items())}
    summed = {name: float(place % 4 > 0) for place, name in enumerate(names(60)) if place >= 10}
    text = with_values(scored(T, some(60, 50)), "loss_right", losses)
    speech = with_values(scored(S, some(60, 40)), "loss_right", higher)
    speech = with_values(speech, "accuracy_sum", summed)
    text = with_values(text, "accuracy_sum", dict.fromkeys(names(55), 1.0))
    base = with_values(scored(T0, some(60, 55)), "loss_right", dict.fromkeys(names(60), 1.5))
    loss = ERROR_RATE.model_copy(update={"name": "loss_right"})
    metrics = [ACCURACY, loss, ACCURACY.model_copy(update={"name": "accuracy_sum"}), JUDGE]
    report = degradation(results(map(item, names(60)), base, text, speech, run=run_file(metrics=metrics)))
    assert [row.metric.name for row in report.metrics] == ["accuracy", "loss_right", "accuracy_sum"]
    primary = metric_of(report, "accuracy")
    assert primary.values["S"] == stage_of(report, "S").estimate, "one number, one interval"
    assert primary.loss == step_of(report, "hearing and thinking").loss
    right = metric_of(report, "loss_right")
    assert (right.items, right.percent, right.step) == (60, False, "hearing and thinking")
    assert right.loss is not None and right.loss.low is not None
    assert right.loss.value == pytest.approx(0.52), "a rise is worse"
    assert 0.51 < right.loss.low < 0.52
    assert right.values["T0"].low == right.values["T0"].high == pytest.approx(1.5)
    pairs = metric_of(report, "accuracy_sum")
    assert list(pairs.values) == ["T", "S"], "the base LLM has none"
    assert pairs.items == 45
    assert pairs.values["S"].value == pytest.approx(sum(summed[name] for name in names(55)[10:]) / 45)
    assert pairs.values["S"].low is not None and 0.5 < pairs.values["S"].low < pairs.values["S"].value


def test_subsets_come_first_each_with_its_full_row() -> None:
    """Otherwise: a benchmark of three subsets is quoted as one number."""
    items = [item(name, voice="a" if i % 2 else "b", subset=f"s{i % 3}") for i, name in enumerate(names(90))]
    speech = {name: -1.0 if place % 3 == 2 else 1.0 for place, name in enumerate(names(90))}
    report = degradation(results(items, scored(T, some(90, 90)), scored(S, speech)))
    assert [own.name for own in report.breakdowns] == ["subset", "voice"]
    first, _, last = report.breakdowns[0].groups
    assert (first.label, last.label) == ("s0", "s2")
    assert (last.items, last.lost, last.gained) == (30, 30, 0)
    assert last.p == pytest.approx(2 / 2**30)
    assert first.p == 1
    assert last.retention is not None and last.retention.value == pytest.approx(-1)
    assert last.values["S"].value == 0
    assert last.values["S"].high == pytest.approx(0.1135, abs=1e-3), "by Wilson, as the stages are"
    assert all(group.prior is None and group.smallest_loss is None for group in report.breakdowns[1].groups)
    assert report.notes[0].startswith(
        "Values over all items pool 3 subsets, weighted by comparisons (s0 30, s1 30, s2 30)"
    )


def test_each_subset_has_its_prior_and_its_power() -> None:
    """Otherwise: a subset whose answers give it away hides behind another, as one too small does."""
    items = [
        item(name, subset="short" if i % 4 else "long", voice=f"v{i % 2}") for i, name in enumerate(names(80))
    ]
    given_away = {name: 1.0 if place % 8 else -1.0 for place, name in enumerate(names(80))} | {
        "i079": "too_long"
    }
    heard = {name: -1.0 if place % 5 == 0 else 1.0 for place, name in enumerate(names(80))}
    stages = (scored(T, some(80, 80)), scored(S, heard), scored(T, given_away, "prior"))
    report = degradation(results(items, *stages))
    long, short = report.breakdowns[0].groups
    assert long.prior is not None and long.prior.value == 0.5
    assert short.prior is not None and short.prior.value == 1.0
    assert report.prior is not None and long.prior.value < report.prior.estimate.value < 1.0
    assert long.smallest_loss is not None and short.smallest_loss is not None
    assert long.smallest_loss > 1.5 * short.smallest_loss
    assert short.items_for_point == pytest.approx(60 * (short.smallest_loss / 0.01) ** 2, abs=1)
    assert all(group.prior is None and group.smallest_loss is None for group in report.breakdowns[1].groups)


def test_a_subset_that_is_named_by_a_number_is_one() -> None:
    """Otherwise: subsets 1 to 9 are thrown together to three ranges, without their priors."""
    items = [item(name, subset=place % 9 + 0.0) for place, name in enumerate(names(90))]
    report = degradation(results(items, scored(T, some(90, 90)), scored(T, some(90, 90), "prior")))
    groups = report.breakdowns[0].groups
    assert [group.label for group in groups] == [f"{place}.0" for place in range(9)]
    assert all(group.prior is not None for group in groups)


def test_an_attribute_with_a_value_for_nearly_every_item_is_no_breakdown() -> None:
    """Otherwise: one attribute such as a speaker's number makes a report of thousands of rows."""
    items = [item(name, speaker=f"p{place // 2}") for place, name in enumerate(names(500))]
    report = degradation(results(items, scored(T, some(500, 400)), scored(S, some(500, 300))))
    assert report.breakdowns == ()


def test_groups_are_judged_by_clusters_where_items_share_material() -> None:
    """Otherwise: twins settle in a group what they do not settle in the whole."""
    items = [item(name, cluster=f"c{i % 10}", half=f"h{i % 2}") for i, name in enumerate(names(100))]
    speech = {name: -1.0 if place % 2 else 1.0 for place, name in enumerate(names(100))}
    report = degradation(results(items, scored(T, some(100, 100)), scored(S, speech)))
    group = breakdown_of(report, "half").groups[1]
    assert (group.lost, group.gained) == (50, 0)
    assert group.p == pytest.approx(2 / 2**5, abs=0.01)


def test_every_task_is_broken_down_by_seconds_of_speech() -> None:
    """Otherwise: a model that fails on long audio alone looks a little worse everywhere."""
    items = [with_seconds(item(name), 2.0 + place) for place, name in enumerate(names(30))]
    report = degradation(results(items, scored(T, some(30, 30)), scored(S, some(30, 20))))
    groups = breakdown_of(report, "seconds of speech").groups
    assert [group.items for group in groups] == [10, 10, 10]
    assert [group.values["S"].value for group in groups] == [1.0, 1.0, 0.0]
    assert [group.label for group in groups] == ["up to 11.67", "11.67 to 21.33", "over 21.33"]
    fine = [with_seconds(item(name), 6 + place / 37) for place, name in enumerate(names(30))]
    report = degradation(results(fine, scored(T, some(30, 30)), scored(S, some(30, 20))))
    labels = [group.label for group in breakdown_of(report, "seconds of speech").groups]
    assert labels == ["up to 6.26", "6.26 to 6.52", "over 6.52"]
    text_only = degradation(results(items, scored(T0, some(30, 30)), scored(T, some(30, 20))))
    assert text_only.breakdowns == ()


def test_word_errors_say_whose_they_are() -> None:
    """Otherwise: a transcriber's mistakes are read as the model's."""
    rates = {name: [0.0, 0.5][place % 2] for place, name in enumerate(names(20))}
    stages = (scored(T, some(20, 20)), scored(S, some(20, 10)))
    run = replace(results(map(item, names(20)), *stages), audio_wer=rates)
    found = breakdown_of(degradation(run), "word error rate of the run's transcriber")
    assert [(group.label, group.items) for group in found.groups] == [("0 %", 10), ("over 30 %", 10)]
    own = {name: [0.0, 0.05][place % 2] for place, name in enumerate(names(20))}
    heard = results(map(item, names(20)), stages[0], scored(S, some(20, 10), wers=own))
    both = degradation(replace(heard, audio_wer=rates)).breakdowns
    assert [(own.name.split(" of ")[1], [group.label for group in own.groups]) for own in both] == [
        ("what the model heard", ["0 %", "up to 10 %"]),
        ("the run's transcriber", ["0 %", "over 30 %"]),
    ]


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


def printed(condition: Condition, value: float, subset: str = "", metric: str = "accuracy") -> Published:
    return Published(
        system="Somebody's", subset=subset, condition=condition, metric=metric, value=value, source="a table"
    )


def test_published_values_stand_beside_the_same_measured_here() -> None:
    """Otherwise: a reader holds a subset's printed value against the whole's measured one."""
    run = run_file()
    values = (
        printed(Condition.S2T, 0.796, "stories"),
        printed(Condition.S2T, 0.6, "choices"),
        printed(Condition.T2T, 0.83, "stories"),
        printed(Condition.S2S, 0.5, "stories"),
        printed(Condition.S2T, 0.5, "stories", metric="f1"),
        printed(Condition.S2T, 0.5, "another"),
        printed(Condition.S2T, 0.7),
    )
    run = run.model_copy(update={"task": run.task.model_copy(update={"published": values})})
    items = [item(name, subset="choices" if i % 2 else "stories") for i, name in enumerate(names(40))]
    stages = (
        scored(T0, some(40, 38)),
        scored(T, some(40, 36)),
        scored(S, some(40, 30)),
        scored(C, some(40, 35)),
    )
    report = degradation(results(items, *stages, run=run))
    found = {(table.subset, table.condition): table for table in report.published}
    assert list(found) == [("stories", "s2t"), ("choices", "s2t"), ("stories", "t2t"), ("", "s2t")]
    (own,) = found["stories", Condition.S2T].measured
    group = breakdown_of(report, "subset").groups[1]
    assert (own.stage, own.system, own.items) == ("S", "tiny-speech-lm", group.items)
    assert own.estimate == group.values["S"]
    assert [value.stage for value in found["stories", Condition.T2T].measured] == ["T0", "T"]
    assert found["stories", Condition.T2T].measured[0].system == "tiny-lm"
    assert found["", Condition.S2T].measured[0].estimate == stage_of(report, "S").estimate
    assert found["stories", Condition.S2T].published[0].value == 0.796
    assert {table.options for table in report.published} == {""}


def alone_beside_published(metrics: list[MetricInfo], *stages: dict[Key, Result], metric: str) -> Report:
    run = run_file(metrics=metrics)
    values = (printed(Condition.S2T, 0.8, metric=metric),)
    run = run.model_copy(update={"task": run.task.model_copy(update={"published": values})})
    return degradation(results(map(item, names(40)), *stages, run=run))


def test_beside_a_published_value_an_arm_stands_alone_over_all_its_items() -> None:
    """Otherwise: what fails in another arm, or cannot be read, raises the value beside a printed one."""
    board = ACCURACY.model_copy(update={"invalid_counts_as": {"unparsed": 0.25}})
    heard = some(40, 20) | {"i039": "unparsed", "i038": "unparsed", "i037": "out_of_memory"}
    spoken = some(40, 20) | dict.fromkeys(names(10), "no_speech")
    stages = scored(S, heard), scored(SS, spoken)
    (table,) = alone_beside_published([board], *stages, metric="accuracy").published
    (own,) = table.measured
    assert (own.stage, own.items) == ("S", 40)
    assert own.estimate.value == pytest.approx((20 + 2 * 0.25) / 40)
    assert own.words.endswith("; 3 of 40 items failed, counted as the published protocol has it")
    (table,) = alone_beside_published([ACCURACY], *stages, metric="accuracy").published
    (own,) = table.measured
    assert (own.items, own.estimate.value) == (37, pytest.approx(20 / 37))
    assert own.words.endswith("; 3 of 40 items failed, left out")
    unfinished = some(40, 20) | {"i038": "judge_budget", "i039": "not_answered"}
    (table,) = alone_beside_published([board], scored(S, unfinished), metric="accuracy").published
    assert table.measured[0].items == 38, "what is still to be done is not wrong"


def test_a_metric_that_depends_on_another_is_not_held_against_a_published_value() -> None:
    """Otherwise: a rule's value over the replies that a second rule could read stands beside a board's."""
    letter = ACCURACY.model_copy(update={"name": "letter"})
    grades = {
        Key(role="model", item=name, condition=Condition.S2T): Grade({"letter": 1.0, "accuracy": 1.0})
        for name in names(30)
    }
    made = dict(put(key, ReplyAnswer("A"), grade) for key, grade in grades.items())
    unread = {
        key: Result(key, ReplyAnswer("?"), Failure("unparsed"), None, False)
        for key in (Key(role="model", item=name, condition=Condition.S2T) for name in names(40)[30:])
    }
    assert alone_beside_published([letter, ACCURACY], made | unread, metric="accuracy").published == ()
    over_all = ACCURACY.model_copy(update={"invalid_counts_as": {}})
    (table,) = alone_beside_published([letter, over_all], made | unread, metric="accuracy").published
    assert table.measured[0].estimate.value == 0.75


def test_published_tables_name_the_options_that_were_changed() -> None:
    """Otherwise: a four-way figure stands beside pairwise ones as if they were alike."""
    run = run_file()
    changed = {"cmmlu_metric": "four_way", "chat_wrap": True}
    task = run.task.model_copy(update={"published": (printed(Condition.T2T, 0.7),), "changed": changed})
    made = results(map(item, names(10)), scored(T, some(10, 9)), run=run.model_copy(update={"task": task}))
    assert degradation(made).published[0].options == "cmmlu_metric=four_way, chat_wrap=true"


def test_a_part_of_a_task_is_not_held_against_the_whole() -> None:
    """Otherwise: one easy subset beats what others printed for all of them."""
    run = run_file()
    task = run.task.model_copy(
        update={
            "identity": {**run.task.identity, "parameters": {"subset": "stories"}},
            "published": (printed(Condition.T2T, 0.7), printed(Condition.T2T, 0.8, "stories")),
        }
    )
    items = [item(name, subset="stories") for name in names(10)]
    report = degradation(results(items, scored(T, some(10, 9)), run=run.model_copy(update={"task": task})))
    assert [table.subset for table in report.published] == ["stories"]
    assert report.published[0].measured[0].estimate.value == 0.9


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
    assert probe.altered is not None
    assert probe.altered.low is not None, "even few items have an interval"


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
        results(
            map(item, names(60)),
            scored(T, some(60, 60)),
            scored(T, some(60, 50) | {"i059": "too_long"}, "prior"),
        )
    )
    assert above.prior is not None
    assert (above.prior.items, above.prior.invalid, above.prior.ties) == (59, {"too_long": 1}, 0)
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


def test_models_are_compared_in_each_subset_too() -> None:
    """Otherwise: who is better at stories hides behind who is better at choices."""
    items = [item(name, subset="choices" if i % 2 else "stories") for i, name in enumerate(names(80))]
    stories = {name: -1.0 if place % 2 == 0 and place < 40 else 1.0 for place, name in enumerate(names(80))}
    one = results(items, scored(T, some(80, 80)))
    two = with_model_name(results(items, scored(T, stories | {"i079": "too_long"})), "other", "two")
    comparison = compare([one, two])
    assert [(table.subset, table.items) for table in comparison.tables] == [
        ("", 79),
        ("choices", 39),
        ("stories", 40),
    ]
    whole, choices, of_stories = (table.pairs[0] for table in comparison.tables)
    assert (whole.lead.value, choices.lead.value, of_stories.lead.value) == (
        pytest.approx(20 / 79),
        0,
        pytest.approx(20 / 40),
    )
    assert of_stories.p_holm == pytest.approx(3 * 2 / 2**20), "of all three tests"
    assert whole.p_holm == of_stories.p_holm
    assert [entry.planned for entry in comparison.tables[1].entries] == [40, 40]
    assert comparison.notes == (
        "t2t: Values over all items pool 2 subsets, weighted by comparisons (stories 40, choices 39); "
        "each subset alone has tables of its own.",
    )
    silent = {name: "crashed" if place % 2 else 1.0 for place, name in enumerate(names(80))}
    half = compare([one, with_model_name(results(items, scored(T, silent)), "half", "half")])
    assert half.warnings == ("t2t, choices: half has no valid item and is left out.",)


def test_models_are_tested_on_what_their_items_weigh() -> None:
    """Otherwise: many light items settle a lead that the heavy ones decide."""
    items = [item(name) for name in names(60)]
    runs = []
    for name, first in (("a", 1.0), ("b", 0.0)):
        heavy = valued(T, dict.fromkeys(names(5), first), 30.0)
        light = valued(T, dict.fromkeys(names(20)[5:], 1 - first))
        rest = valued(T, dict.fromkeys(names(60)[20:], 1.0))
        runs.append(with_model_name(results(items, heavy, light, rest), name, name))
    comparison = compare(runs)
    pair = comparison.tables[0].pairs[0]
    assert pair.p < 0.05 < pair.p_holm == pair.p_flip
    assert not pair.clear
    assert "sign-flip p" in comparison.notes[0]


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
    assert pair.p < 1e-9 < 0.05 < pair.p_holm == pair.p_flip
    assert not pair.clear
    assert comparison.notes[0].startswith("Exact p counts items as independent")


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
