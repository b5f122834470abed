"""The certificate in the views."""

import io
from pathlib import Path

import jsonschema
import pytest
from rich.console import Console

from speechzoo.gap import Report, degradation
from speechzoo.gap.invariance_findings import Difference, Effect, Invariance, WayFinding
from speechzoo.report import html, json_file
from speechzoo.report.terminal import print_report
from speechzoo.specs import Condition
from tests.report.factory import S, T, item, results, scored

HOSTILE = "<script>alert(1)</script>\x1b[31m[bold]\u202e"


def changed(place: int, text: str = "'a seal'") -> Difference:
    return Difference(
        role="model",
        item=f"story-{place}",
        condition=Condition.S2T,
        variant="",
        level="differs",
        before="'a seed'",
        after=text,
        nats=None,
        value_before=1.0,
        value_after=None if place else 0.0,
    )


def certificate(text: str = "'a seal'") -> Invariance:
    """A way of every verdict, with the numbers of a large sample."""
    effect = Effect(role="model", condition=Condition.S2T, items=1024, invalid=3, changed=102, move=-0.0415)
    counts = {"batches": 1024, "largest_batch": 48, "asks": 4096}
    ways = (
        WayFinding(way="sample", changed="only the sample", verdict="identical", identical=4096, **counts),
        WayFinding(
            way="one by one",
            changed="every ask has a batch to itself",
            verdict="within tolerance",
            identical=4000,
            within=96,
            largest=3.125e-5,
            seconds=1234.5,
            **counts,
        ),
        WayFinding(
            way="larger batches",
            changed="batches have twice as many tokens",
            verdict="differs",
            identical=3000,
            within=994,
            differ=102,
            largest=0.51,
            effects=(effect,),
            differing=tuple(changed(place, text) for place in range(8)),
            **counts,
        ),
        WayFinding(way="two workers", changed="two workers", verdict="not run", why=f"no room {text}"),
    )
    return Invariance(
        created="2025-05-06T07:08:09+00:00",
        speechzoo="0.1.0",
        headline="32 items asked again in 3 ways: answers differ: larger batches (102 of 4096)",
        holds=False,
        fingerprint="9a1b2c3d4e5f6071",
        answers="0" * 32,
        items=("a", "b"),
        of_items=1200,
        dtype="bfloat16",
        tolerance=0.1,
        device="cuda:0",
        notes=(f"Other than when the run was made: {text}.",),
        ways=ways,
    )


def report(text: str = "'a seal'") -> Report:
    items = [item("a"), item("b")]
    made = degradation(results(items, *(scored(stage, {"a": 1.0, "b": -1.0}) for stage in (T, S))))
    return made.model_copy(update={"invariance": certificate(text)})


def printed(own: Report) -> str:
    out = io.StringIO()
    print_report(own, Console(file=out, width=80))
    return out.getvalue()


@pytest.mark.parametrize(
    "row",
    [
        "sample          identical   4096       4096       0       0           –       0",
        "one by one      within      4096       4000      96       0     3.1e-05       0",
        "larger batches  differs     4096       3000     994     102        0.51     102",
        "two workers     not run        –          –       –       –           –       –",
    ],
)
def test_a_way_is_one_line_of_the_terminal(row: str) -> None:
    """Otherwise: a count loses digits, or a way that was not gone looks like one that passed."""
    lines = printed(report()).splitlines()
    assert row.split() in [line.split() for line in lines]
    assert max(len(line) for line in lines if "|" not in line) <= 80


def test_the_terminal_names_what_differs_and_why_a_way_was_not_gone() -> None:
    """Otherwise: whoever has to mend the adapter does not know where to look."""
    text = " ".join(printed(report()).split())
    for words in (
        "larger batches (102 of 4096)",
        "one by one: every ask has a batch to itself (1024 batches of at most 48, 1234 s)",
        "larger batches: story-0, model/s2t: 'a seed' became 'a seal' (worth 1, then 0)",
        "story-1, model/s2t: 'a seed' became 'a seal' (worth 1, then nothing)",
        "larger batches: more of them in report.html",
        "not run: no room",
        "scores in bfloat16 may differ by 0.1 nats a token, texts not at all",
        "2025-05-06 07:08 UTC on cuda:0 by speechzoo 0.1.0",
    ):
        assert words in text, words


def test_the_page_has_the_table_and_every_named_answer() -> None:
    """Otherwise: the certificate is in a file that nobody opens."""
    page = html.render(report(), Path("nowhere"))
    for words in (
        '<h2 id="invariance-title">Invariance</h2>',
        "<strong>differs</strong>",
        "not run: no room",
        "3.1e-05",
        "-4.2",
        "model, s2t, 1024 items",
        "story-7",
        "Other than when the run was made",
    ):
        assert words in page, words
    assert "invariance-title" not in html.render(
        report().model_copy(update={"invariance": None}), Path("nowhere")
    )


def test_nothing_in_it_is_obeyed_and_the_json_keeps_all() -> None:
    """Otherwise: what a model says takes over the terminal or the page it is shown in."""
    own = report(HOSTILE)
    text, page = printed(own), html.render(own, Path("nowhere"))
    assert not set("\x1b\u202e") & set(text) and "[bold]" in text
    assert "<script>alert" not in page and "\u202e" not in page
    assert json_file.read(json_file.render(own)) == own
    jsonschema.validate(own.model_dump(mode="json"), Report.model_json_schema(mode="serialization"))
