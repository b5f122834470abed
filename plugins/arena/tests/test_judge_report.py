"""The command, from folders of votes to tables, page and JSON."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from speechzoo import SpeechzooError

from speechzoo_arena.judge_findings import JudgeReport
from speechzoo_arena.judge_report import judge_report

HOSTILE = "<script>alert(1)</script>\x1b[31m[red]"


def votes(vote: Any, judge: str, kind: str, care: float, *, seed: int, name: str = "C") -> list[Any]:
    """Three systems, A best, in both orders on twenty dialogues; the rest of the time the first is named."""
    draw = np.random.default_rng(seed)
    found = []
    for dialogue in range(20):
        for first, second in (("A", "B"), ("B", "A"), ("B", name), (name, "B"), ("A", name), (name, "A")):
            better = "first" if first < second else "second"
            outcome = better if draw.random() < care else "first"
            lengths = {"first": 4.0 + (first == "A"), "second": 4.0 + (second == "A")}
            found.append(
                vote(
                    first, second, outcome, f"d{dialogue}", judge=judge, kind=kind, seconds=lengths,
                    group="semantic" if dialogue % 2 else "ambient",
                )
            )  # fmt: skip
    return found


def test_the_published_judges(speechzoo: Any, tmp_path: Path) -> None:
    """Otherwise nobody could see how far judges of the printed tables follow people."""
    done = speechzoo("judge-report", "--published", "--html", "page.html", "--json", "report.json")
    assert "Spearman of 0.45 to 0.58 in arena" in done.stdout
    assert "misprint" in done.stdout and "a person's recorded" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    report = JudgeReport.model_validate_json((tmp_path / "report.json").read_bytes())
    assert report.measured is None and report.published is not None
    page = (tmp_path / "page.html").read_text()
    assert "Content-Security-Policy" in page and "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert "Gemini-2.5-pro" in page and "0.93" in page


def test_judges_are_told_apart(speechzoo: Any, vote: Any, keep: Any, tmp_path: Path) -> None:
    """Otherwise a judge that names whoever is first would look like one that listens."""
    fair = keep("fair", votes(vote, "fair", "model", 0.95, seed=1))
    blind = keep("blind", votes(vote, "blind", "model", 0.1, seed=2))
    people = keep(
        "people",
        [own for n in range(3) for own in votes(vote, f"p{n}", "human", 0.9, seed=10 + n)],
    )
    failed = [vote("A", "B", {"reason": "judge_error"}, "d99", judge="fair")]
    more = keep("more", failed)
    folders = (fair, blind, people, more)
    speechzoo("judge-report", *map(str, folders), "--json", "report.json", "--html", "page.html")
    found = JudgeReport.model_validate_json((tmp_path / "report.json").read_bytes()).measured
    assert found is not None
    judges = {own.judge: own for own in found.judges}
    assert list(judges) == ["blind", "fair", "people"] and judges["people"].people == 3
    assert judges["fair"].failed == {"judge_error": 1} and judges["fair"].votes == 121
    blind_lean, fair_lean = judges["blind"].position, judges["fair"].position
    assert blind_lean is not None and fair_lean is not None
    assert blind_lean.share.value > 0.85 and blind_lean.p < 0.001
    assert fair_lean.share.value < 0.6
    assert (judges["blind"].reversed or 0) > 0.7 > 0.2 > (judges["fair"].reversed or 0)
    agreed = {(own.one, own.two, own.group): own for own in found.agreements}
    assert {group for _, _, group in agreed} == {"", "ambient", "semantic"}
    good, bad = agreed["fair", "people", ""].kappa, agreed["blind", "people", ""].kappa
    assert good is not None and bad is not None and good.value > 0.6 > 0.3 > bad.value
    assert [own.among for own in found.reliabilities] == ["models", "people", "models and people"]
    assert [own.raters for own in found.reliabilities] == [2, 3, 5]
    ranked = {(own.one, own.two): own for own in found.rankings}
    assert ranked["fair", "people"].spearman is not None
    assert ranked["fair", "people"].spearman.value == pytest.approx(1)
    assert "judge_error" in (tmp_path / "page.html").read_text()


def test_names_of_others_do_nothing(speechzoo: Any, vote: Any, keep: Any, tmp_path: Path) -> None:
    """Otherwise a judge's or group's name could run in a reader's browser or colour their terminal."""
    rows = [own.model_copy(update={"group": HOSTILE}) for own in votes(vote, HOSTILE, "model", 0.9, seed=1)]
    other = votes(vote, "other", "model", 0.9, seed=2)
    done = speechzoo("judge-report", str(keep("one", rows)), str(keep("two", other)), "--html", "page.html")
    assert "\x1b[31m" not in done.stdout and "[red]" in done.stdout
    page = (tmp_path / "page.html").read_text()
    assert "<script" not in page and "&lt;script&gt;alert(1)" in page


def test_a_judge_without_ratings_is_told(speechzoo: Any, vote: Any, keep: Any) -> None:
    """Otherwise a ranking would be missing from the report without a reason."""
    folder = keep("run", [vote("A", "B", "first", f"d{n}") for n in range(4)])
    done = speechzoo("judge-report", str(folder))
    told = " ".join(done.stdout.split())
    assert "judge has no ratings to rank by: never beaten nor held to a tie" in told


def test_only_failures_is_a_report_too(speechzoo: Any, vote: Any, keep: Any, tmp_path: Path) -> None:
    """Otherwise a judge that never answers would crash the report that should say so."""
    folder = keep("run", [vote("A", "B", {"reason": "judge_error"}, f"d{n}") for n in range(4)])
    done = speechzoo("judge-report", str(folder), "--html", "page.html", "--json", "report.json")
    assert "4 judge_error" in done.stdout
    assert json.loads((tmp_path / "report.json").read_text())["measured"]["judges"][0]["position"] is None


def test_wrong_use_is_explained(speechzoo: Any, vote: Any, keep: Any, tmp_path: Path) -> None:
    """Otherwise a user would not know what to give."""
    assert "--published" in speechzoo("judge-report", code=2).stderr
    with pytest.raises(SpeechzooError, match="holds no votes"):
        judge_report([tmp_path], published=False)
    folder = keep("run", [vote("A", "B")])
    with pytest.raises(SpeechzooError, match="twice"):
        judge_report([folder, folder], published=False)
    human = keep("human", [vote("A", "B", "tie", "d7", kind="human")])
    with pytest.raises(SpeechzooError, match="that of a model, too"):
        judge_report([folder, human], published=False)
