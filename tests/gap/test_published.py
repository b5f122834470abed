"""Published values beside the same measured here."""

import pytest

from speechzoo.asks import Failure, ReplyAnswer
from speechzoo.gap import degradation
from speechzoo.gap.findings import Report
from speechzoo.registry import Published
from speechzoo.run.records import Key, MetricInfo, Result
from speechzoo.specs import Condition
from speechzoo.task import Grade
from tests.gap.parts import breakdown_of, stage_of
from tests.report.factory import (
    ACCURACY,
    SS,
    T0,
    C,
    S,
    T,
    item,
    names,
    put,
    results,
    run_file,
    scored,
    some,
)


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
