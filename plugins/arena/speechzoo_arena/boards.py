"""Ratings of a rater as findings: by group and pooled, with what is held equal, and who is ahead of whom."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from statistics import mean
from typing import get_args

from speechzoo import SpeechzooError
from speechzoo.gap.terms import Estimate
from speechzoo.stats import Estimate as Raw

from speechzoo_arena.arena_findings import (
    Adjusted,
    Board,
    ControlFinding,
    PairFinding,
    Standing,
    WinRateFinding,
)
from speechzoo_arena.bradley_terry import UNITS, Control
from speechzoo_arena.elo import INITIAL, elo
from speechzoo_arena.judge_findings import known
from speechzoo_arena.orders import both_orders, one_order
from speechzoo_arena.ratings import PairTest, Ratings, pair_tests, rate, rate_controlled, win_rates
from speechzoo_arena.records import Battle, Vote


def boards(raters: Mapping[str, Sequence[Vote]], *, prior: float | None, seed: int) -> Iterator[Board]:
    """All groups together first, then each of several.

    Args:
        raters: the votes of each, repeats left out, in order of completion.
        prior: standard deviation in points of a prior on ratings; None for none.
        seed: of all resampling.
    """
    for rater, votes in raters.items():
        groups = sorted({vote.group for vote in votes})
        for group in ["", *groups] if len(groups) > 1 else [""]:
            own = [vote for vote in votes if not group or vote.group == group]
            yield _board(rater, group, own, prior, seed)


def _board(rater: str, group: str, votes: Sequence[Vote], prior: float | None, seed: int) -> Board:
    battles = both_orders(votes).battles
    ratings: Ratings | None = None
    unrated = ""
    try:
        ratings = rate(battles, seed=seed, prior=prior)
    except SpeechzooError as error:
        unrated = str(error)
    return Board(
        rater=rater,
        kind=votes[0].kind,
        group=group,
        battles=len(battles),
        dialogues=len({battle.dialogue for battle in battles}),
        standings=tuple(_standings(battles, reference_elo(votes), ratings)),
        pairs=tuple(map(pair_finding, pair_tests(ratings))) if ratings else (),
        wins=tuple(_wins(battles)),
        undefined=ratings.undefined if ratings else 0.0,
        unrated=unrated,
    )


def reference_elo(votes: Sequence[Vote]) -> dict[str, float]:
    """Elo ratings in points, as the reference has them: one arena a group, the mean of them over all.

    Args:
        votes: in order of completion. Who has not met anyone in a group has its initial 1000 points there.
    """
    groups: defaultdict[str, list[Battle]] = defaultdict(list)
    for battle in one_order(votes):
        groups[battle.group].append(battle)
    arenas = [elo(battles) for battles in groups.values()]
    systems = sorted({name for arena in arenas for name in arena})
    return {name: mean(arena.get(name, INITIAL) for arena in arenas) for name in systems}


def _standings(
    battles: Sequence[Battle], elos: Mapping[str, float], ratings: Ratings | None
) -> list[Standing]:
    systems = sorted({name for battle in battles for name in (battle.first, battle.second)})
    wins, ties, losses = Counter[str](), Counter[str](), Counter[str]()
    for battle in battles:
        if battle.outcome == "tie":
            ties.update((battle.first, battle.second))
        else:
            won = battle.first if battle.outcome == "first" else battle.second
            wins[won] += 1
            losses[battle.second if won == battle.first else battle.first] += 1
    rows = [
        Standing(
            system=name,
            rating=known(ratings.rating(name)) if ratings else None,
            rank=known(ratings.rank(name)) if ratings else None,
            elo=elos.get(name),
            wins=wins[name],
            ties=ties[name],
            losses=losses[name],
        )
        for name in systems
    ]
    return sorted(rows, key=lambda row: (-row.rating.value if row.rating else -_share(row), row.system))


def _share(row: Standing) -> float:
    return (row.wins + row.ties / 2) / (row.wins + row.ties + row.losses)


def pair_finding(test: PairTest) -> PairFinding:
    """A pair with null for what is not known."""
    return PairFinding(
        first=test.first,
        second=test.second,
        lead=given(test.lead),
        p=_number(test.p),
        p_holm=_number(test.p_holm),
        settled=test.settled,
        met=test.met,
        more=test.more,
    )


def given(estimate: Raw) -> Estimate:
    """An estimate that has a value, with null for ends that cannot be given."""
    found = known(estimate)
    assert found is not None
    return found


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _wins(battles: Sequence[Battle]) -> Iterator[WinRateFinding]:
    for (row, column), found in win_rates(battles).items():
        yield WinRateFinding(
            row=row,
            column=column,
            wins=found.wins,
            ties=found.ties,
            losses=found.losses,
            score=given(found.score),
        )


def controls(
    raters: Mapping[str, Sequence[Vote]], *, prior: float | None, seed: int
) -> Iterator[ControlFinding]:
    """Over verdicts of each order by itself: only there is somebody heard first."""
    every: tuple[Control, ...] = get_args(Control)
    for rater, votes in raters.items():
        battles = one_order(votes)
        for control in every:
            if battles:
                yield _controlled(rater, battles, control, prior, seed)


def _controlled(
    rater: str, battles: Sequence[Battle], control: Control, prior: float | None, seed: int
) -> ControlFinding:
    known_of = control == "position" or any(getattr(battle, control) is not None for battle in battles)
    try:
        found = rate_controlled(battles, [control], seed=seed, prior=prior)
    except SpeechzooError as error:
        return ControlFinding(
            rater=rater,
            control=control,
            unit=UNITS[control],
            effect=None,
            ratings=(),
            left_out=0 if known_of else len(battles),
            unrated=str(error) if known_of else "it is known of none of these battles",
        )
    names = sorted(found.plain.fit.systems, key=lambda name: -found.plain.fit.rating(name))
    return ControlFinding(
        rater=rater,
        control=control,
        unit=UNITS[control],
        effect=known(found.adjusted.effect(control)),
        ratings=tuple(
            Adjusted(
                system=name,
                plain=given(found.plain.rating(name)),
                adjusted=given(found.adjusted.rating(name)),
            )
            for name in names
        ),
        left_out=found.left_out,
        unrated="",
    )
