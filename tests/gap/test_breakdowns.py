"""What a report tells of subsets, and of words, seconds and error rates."""

from dataclasses import replace

import pytest

from speechzoo.gap import degradation
from tests.gap.parts import breakdown_of, metric_of, stage_of, step_of
from tests.report.factory import (
    ACCURACY,
    ERROR_RATE,
    JUDGE,
    T0,
    S,
    T,
    item,
    names,
    results,
    run_file,
    scored,
    some,
    with_seconds,
    with_values,
)


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
