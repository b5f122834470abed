"""People and judge together in the report, on the page and in the terminal."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from plugins.arena.tests.players import arena_of, pooled
from rich.console import Console
from speechzoo.run.store import AppendFile

from speechzoo_arena.arena_findings import ArenaReport
from speechzoo_arena.arena_page import render
from speechzoo_arena.arena_report import arena_report
from speechzoo_arena.arena_tables import print_arena
from speechzoo_arena.joint_board import joint_board
from speechzoo_arena.records import FILE, Battle, Vote

from .conftest import START, a_vote
from .test_joint import TRUE, people, verdicts

TITLE = "Who is rated best by people and judge together"


def votes_of(battles: Sequence[Battle], names: dict[str, str] | None = None) -> list[Vote]:
    """The verdicts of battles as votes on systems of other names."""
    names = names or {}
    return [
        a_vote(
            names.get(own.first, own.first), names.get(own.second, own.second), own.outcome, own.dialogue,
            judge=own.judge, kind=own.kind, created=START,
        )
        for own in battles
    ]  # fmt: skip


@pytest.fixture(scope="module")
def arena(runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return arena_of(runs, tmp_path_factory.mktemp("joint") / "arena", "always-first")


def report_with(arena: Path, folder: Path, judged: Sequence[float]) -> ArenaReport:
    """Of eight dialogues: people know the long one best; a judge has strengths as given."""
    names = {"s0": "long", "s1": "middle", "s2": "short"}
    every = [
        *verdicts(1, "critic", judged, 8),
        *verdicts(2, "anna", TRUE, 8, orders=1, kind="human"),
        *verdicts(3, "bob", TRUE, 8, orders=1, kind="human"),
    ]
    folder.mkdir()
    file = AppendFile(folder / FILE)
    file.append(
        [
            own.model_copy(
                update={"dialogue": f"chat-{own.dialogue[1:]}", "cluster": f"chat-{own.dialogue[1:]}"}
            )
            for own in votes_of(every, names)
        ]
    )
    file.close()
    return arena_report(arena, [folder])


@pytest.fixture(scope="module")
def alike(arena: Path, tmp_path_factory: pytest.TempPathFactory) -> ArenaReport:
    return report_with(arena, tmp_path_factory.mktemp("votes") / "alike", TRUE)


@pytest.fixture(scope="module")
def contrary(arena: Path, tmp_path_factory: pytest.TempPathFactory) -> ArenaReport:
    judged = [2 * own for own in TRUE[::-1]]
    return report_with(arena, tmp_path_factory.mktemp("votes") / "contrary", judged)


def shown(report: ArenaReport) -> str:
    console = Console(width=80, record=True, color_system=None)
    with console.capture() as told:
        print_arena(report, console)
    return told.get()


def test_a_joint_board_that_can_be_trusted_is_the_headline(arena: Path, alike: ArenaReport) -> None:
    """Otherwise people and judge would have one rating that nobody finds."""
    report, joint = alike, alike.joint
    assert joint is not None and joint.trusted and not joint.unrated
    assert "long is rated highest" in report.headline and "by people and judge together" in report.headline
    by_name = {own.rater: own for own in joint.raters}
    assert by_name["always-first"].nothing == "all its 48 verdicts with a winner name who was heard first"
    assert (by_name["critic"].weight, by_name["people"].weight) == pytest.approx((0.5, 0.5))
    assert by_name["people"].opinions == 24 and by_name["people"].verdicts == 48
    assert any("does not prove that there is none" in told for told in joint.told)
    assert TITLE in render(report, arena)
    assert "people and judge together: 96 verdicts" in shown(report)
    assert max(map(len, shown(report).splitlines())) <= 80


def test_a_judge_that_people_contradict_takes_the_headline_away(arena: Path, contrary: ArenaReport) -> None:
    """Otherwise the page would begin with a rating that is nobody's opinion."""
    report, joint = contrary, contrary.joint
    assert joint is not None and not joint.trusted and "together" not in report.headline
    (critic,) = [own for own in joint.comparisons if own.judge == "critic"]
    assert critic.differs and critic.p_holm is not None and critic.p_holm < 0.05
    leads = {own.system: own.difference for own in critic.systems}
    assert leads["long"].low is not None and leads["long"].low > 0
    (said,) = [told for told in joint.told if "do not see the same strengths" in told]
    page = render(report, arena)
    assert page.index(TITLE) < page.index(said[:40]) < page.index("One model of 96 verdicts")
    assert "critic and people apart" in shown(report) and "do not see the same" in shown(report)


def test_boards_of_each_stay_what_they_are(alike: ArenaReport, contrary: ArenaReport) -> None:
    """Otherwise the joint model would leak into the ratings of people or of a judge."""
    assert pooled(alike, "people") == pooled(contrary, "people")
    assert pooled(alike, "always-first") == pooled(contrary, "always-first")
    assert pooled(alike, "critic") != pooled(contrary, "critic")


def test_only_systems_that_both_met_are_rated_together() -> None:
    """Otherwise a system that no person heard would be rated by people."""
    voters = [own for own in people(1, 30) if "s2" not in own.pair]
    both: Any = {"judge": votes_of(verdicts(2, "judge", TRUE, 30)), "people": votes_of(voters)}
    found = joint_board(both, seed=0)
    assert found is not None and [row.system for row in found.standings] == ["s0", "s1"]
    assert joint_board({"judge": both["judge"]}, seed=0) is None
    strangers = [own.model_copy(update={"first": "x", "second": "y"}) for own in both["people"]]
    assert joint_board({**both, "people": strangers}, seed=0) is None


def test_what_cannot_be_rated_says_why() -> None:
    """Otherwise an arena of unanimous votes would end in a traceback, or in an empty table."""
    pairs = [("A", "B", "first"), ("B", "A", "second")] * 3
    own: Any = {
        name: [
            a_vote(one, two, won, f"d{n}", judge=name, kind=kind) for n, (one, two, won) in enumerate(pairs)
        ]
        for name, kind in (("judge", "model"), ("people", "human"))
    }
    found = joint_board(own, seed=0)
    assert found is not None and not found.trusted and not found.pairs
    assert "rated infinitely high above the others: A" in found.unrated
    assert any("cannot be tested" in told for told in found.told)
