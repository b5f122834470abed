"""The printed tables: typed in without slips, and what follows from them."""

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.stats import kendalltau, spearmanr

from speechzoo_arena.meta_evaluation import meta_evaluation
from speechzoo_arena.published import DIMENSIONS, HUMAN, PublishedResults, published_results

RESULTS = published_results()
MISPRINT = ("GLM-4-Voice", "Qwen-Omni-Turbo")


def test_every_table_is_whole() -> None:
    """Otherwise a system or evaluator would be missing beside measured values."""
    assert len(RESULTS.systems) == 11 and RESULTS.evaluators[0] == HUMAN and len(RESULTS.evaluators) == 4
    assert len(RESULTS.arena["Human"]["human"]) == len(DIMENSIONS)


def test_overall_arena_is_the_mean_but_for_the_misprint() -> None:
    """Otherwise a slip in typing would stand as published. One row is misprinted at the source."""
    off = {
        (system, evaluator)
        for system, row in RESULTS.arena.items()
        for evaluator, (*dimensions, overall) in row.items()
        if abs(overall - np.mean(dimensions)) > 0.67
    }
    assert off == {MISPRINT}
    assert np.mean(RESULTS.arena[MISPRINT[0]][MISPRINT[1]][:3]) == 1007
    assert any("misprint" in note for note in RESULTS.notes)


def test_peoples_elo_sums_to_a_thousand_each() -> None:
    """Otherwise a slip in people's columns would go unseen: Elo takes from one what it gives to another."""
    for dimension in DIMENSIONS:
        assert sum(RESULTS.column("arena", HUMAN, dimension)) == pytest.approx(11_000, abs=1)
        for judge in RESULTS.evaluators[1:]:
            assert 5 <= 11_000 - sum(RESULTS.column("arena", judge, dimension)) <= 33


@pytest.mark.parametrize(
    ("evaluator", "largest"),
    [("Gemini-2.5-pro", 0.0055), ("GPT-4o Realtime", 0.07), ("Qwen-Omni-Turbo", 0.022), ("human", 0.163)],
)
def test_overall_rubrics_are_pooled_over_dialogues(evaluator: str, largest: float) -> None:
    """Otherwise a slip in typing would stand as published: three weights have to fit all eleven systems."""
    rows = np.array([RESULTS.rubrics[system][evaluator] for system in RESULTS.systems])
    weights, *_ = np.linalg.lstsq(rows[:, :3], rows[:, 3], rcond=None)
    assert np.abs(rows[:, :3] @ weights - rows[:, 3]).max() <= largest
    assert weights.sum() == pytest.approx(1, abs=0.01)
    if evaluator == "Gemini-2.5-pro":
        assert weights == pytest.approx([0.337, 0.330, 0.333], abs=0.0006)


def test_shares_of_wins_add_up() -> None:
    """Otherwise a slip in the table of biases would stand as published."""
    for own in RESULTS.bias.values():
        for lean in (own.position, own.length):
            assert lean.share + lean.rest == pytest.approx(100, abs=0.011)
            assert lean.difference == pytest.approx(lean.share - lean.rest, abs=0.16)
            assert lean.share == pytest.approx((lean.low + lean.high) / 2, abs=0.06)


def test_an_incomplete_table_is_refused() -> None:
    """Otherwise an edit of the file could lose a system without a word."""
    whole = RESULTS.model_dump()
    del whole["rubrics"]["Moshi"]
    with pytest.raises(ValidationError, match="rubrics has other systems than arena"):
        PublishedResults.model_validate(whole)
    whole = RESULTS.model_dump()
    del whole["arena"]["Moshi"]["human"]
    with pytest.raises(ValidationError, match="arena lacks an evaluator"):
        PublishedResults.model_validate(whole)


def test_the_meta_evaluation_is_of_the_printed_columns() -> None:
    """Otherwise a judge would be praised for another one's column."""
    found = meta_evaluation(RESULTS, seed=0)
    assert len(found.against_people) == 2 * 4 * 3 and len(found.between_protocols) == 4 * 4
    for row in found.against_people:
        table = RESULTS.arena if row.protocol == "arena" else RESULTS.rubrics
        place = DIMENSIONS.index(row.dimension)
        people = [table[system]["human"][place] for system in RESULTS.systems]
        judge = [table[system][row.judge][place] for system in RESULTS.systems]
        assert row.spearman is not None and row.kendall is not None
        assert row.spearman.value == pytest.approx(spearmanr(people, judge).statistic)
        assert row.kendall.value == pytest.approx(kendalltau(people, judge).statistic)
        assert row.spearman.low is not None and row.spearman.high is not None
        assert -1 <= row.spearman.low <= row.spearman.value <= row.spearman.high <= 1


def test_what_the_printed_values_fit() -> None:
    """Otherwise readers would not know how many battles, and which chance level, lie behind them."""
    printed = {row.evaluator: row for row in meta_evaluation(RESULTS, seed=0).printed}
    assert printed["human"].battles == pytest.approx(1_250, abs=10)
    assert all(2_600 < row.battles < 2_800 for name, row in printed.items() if name != "human")
    assert [round(row.chance, 3) for row in printed.values()] == [0.144, 0.084, 0.089, 0.086]
