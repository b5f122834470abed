"""What is claimed of models side by side."""

import pytest

from speechzoo.errors import SpeechzooError
from speechzoo.gap import compare
from tests.report.factory import (
    S,
    T,
    item,
    names,
    results,
    scored,
    some,
    valued,
    with_model_name,
)


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
