"""Shards: a run divided for jobs of its own, each item in exactly one of them."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechzoo import Condition, Item, ScoreAsk, raw
from speechzoo.audio import silence
from speechzoo.errors import SpeechzooError
from speechzoo.run.plan import Plan, ask_all, make_plan
from speechzoo.run.shard import Shard, part_of, read_shard
from speechzoo.task import Metric

STORIES = st.tuples(st.sampled_from("abcdefghij"), st.sampled_from("xyz") | st.none())
"""A text and a cluster."""


class Stories:
    """Items told as texts; some are in one cluster, some have one text."""

    version = "1"
    conditions = (Condition.T2T, Condition.S2T)
    metrics = (Metric("accuracy"),)

    def __init__(self, texts: Sequence[str], clusters: Sequence[str | None]) -> None:
        self._texts, self._clusters = texts, clusters

    def items(self) -> list[Item]:
        told = zip(self._texts, self._clusters, strict=True)
        return [Item(f"i{n}", {"text": text}, cluster=cluster) for n, (text, cluster) in enumerate(told)]

    def ask(self, item: Item, condition: Condition) -> ScoreAsk:
        text = item.data["text"]
        part = silence(1.0 + len(text) / 10) if condition.speech_in else text
        return ScoreAsk(raw(part), (f" end of {item.id}",))

    def grade(self, item: Item, condition: Condition, answer: object) -> object:
        raise AssertionError("planning grades nothing")


def plan_of(task: Stories, conditions: Sequence[Condition] = (Condition.T2T,)) -> Plan:
    items = task.items()
    return make_plan(ask_all(task, items, conditions), items, {"model": conditions}, seed=0, priors=["model"])


def items_of(plan: Plan) -> set[str]:
    return {work.key.item for work in plan.works}


@settings(deadline=None)  # scipy is imported meanwhile
@given(
    st.lists(STORIES, min_size=1),
    st.data(),
)
def test_every_item_is_in_one_shard_with_all_it_shares(
    told: list[tuple[str, str | None]], data: st.DataObject
) -> None:
    """Otherwise: an item is asked twice or never, or a shared recording is heard again in every job."""
    texts, clusters = zip(*told, strict=True)
    plan = plan_of(Stories(texts, clusters))
    count = data.draw(st.integers(2, 4))
    try:
        parts = [part_of(plan, Shard(number, count), seed=0) for number in range(1, count + 1)]
    except SpeechzooError as error:
        assert "groups" in str(error) or "cannot be divided" in str(error)
        return
    shard_of = {item: number for number, part in enumerate(parts) for item in items_of(part)}
    assert len(shard_of) == sum(len(items_of(part)) for part in parts) == len(told)
    assert sum(len(part.works) for part in parts) == len(plan.works)
    assert all(items_of(part) and part.items == plan.items for part in parts)
    for shared in (texts, clusters):
        for value in set(shared) - {None}:
            assert len({shard_of[f"i{n}"] for n, own in enumerate(shared) if own == value}) == 1


def test_shards_are_as_large_as_each_other_and_drawn_by_the_seed() -> None:
    """Otherwise: one job of an array takes twice as long, or two jobs draw differently."""
    plan = plan_of(Stories([f"story {n} {'and so on ' * (n % 7)}" for n in range(200)], [None] * 200))
    parts = [part_of(plan, Shard(number, 4), seed=1) for number in range(1, 5)]
    costs = [sum(work.cost for work in part.works) for part in parts]
    assert max(costs) - min(costs) <= max(work.cost for work in plan.works) * 3
    assert items_of(part_of(plan, Shard(1, 4), seed=1)) == items_of(parts[0])
    assert items_of(part_of(plan, Shard(1, 4), seed=2)) != items_of(parts[0])


def test_probes_are_those_of_the_whole_run() -> None:
    """Otherwise: each job of eight chooses 16 items to be asked with silence, and 128 are."""
    conditions = (Condition.T2T, Condition.S2T)
    plan = plan_of(Stories(["s" * (n + 1) for n in range(40)], [None] * 40), conditions)
    parts = [part_of(plan, Shard(number, 3), seed=0) for number in range(1, 4)]
    probes = [work.key for part in parts for work in part.works if work.key.variant in ("silence", "swapped")]
    assert sorted(map(str, probes)) == sorted(
        str(work.key) for work in plan.works if work.key.variant in ("silence", "swapped")
    )
    assert len(probes) == 32


def test_more_shards_than_there_is_to_divide_are_refused() -> None:
    """Otherwise: jobs of an array end with empty folders."""
    plan = plan_of(Stories(["a", "b", "c", "c"], [None] * 4))
    with pytest.raises(SpeechzooError, match="only 3 groups"):
        part_of(plan, Shard(1, 4), seed=0)
    with pytest.raises(SpeechzooError, match="cannot be divided"):
        part_of(plan_of(Stories(["a", "a"], [None] * 2)), Shard(1, 2), seed=0)


@pytest.mark.parametrize("text", ["0/8", "9/8", "1/1", "1", "-1/8", "1/8/2", "a/b", ""])
def test_what_is_no_shard_is_refused(text: str) -> None:
    """Otherwise: an array that counts from 0 leaves one part out and asks another never."""
    with pytest.raises(SpeechzooError, match="none of 1/N to N/N"):
        read_shard(text)
    assert read_shard("8/8") == Shard(8, 8)
