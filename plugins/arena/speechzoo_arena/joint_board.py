"""People and judge together as findings: common ratings, what each adds, and whether they agree at all."""

from collections.abc import Iterator, Mapping, Sequence

from speechzoo.gap.wording import p_value
from speechzoo.stats import holm

from speechzoo_arena.agreement import PEOPLE
from speechzoo_arena.arena_findings import (
    Comparison,
    Disagreement,
    JointBoard,
    JointRater,
    JointStanding,
    PairFinding,
)
from speechzoo_arena.boards import given, pair_finding
from speechzoo_arena.bradley_terry import NoRatingsError, systems_of
from speechzoo_arena.joint import (
    Joint,
    Raters,
    adds_nothing,
    opinions,
    rate_apart,
    rate_jointly,
    same_strengths,
)
from speechzoo_arena.judge_findings import known
from speechzoo_arena.orders import one_order
from speechzoo_arena.ratings import SIGNIFICANT, pair_tests
from speechzoo_arena.records import Battle, Vote

TOGETHER = "people and judge together"


def joint_board(raters: Mapping[str, Sequence[Vote]], *, seed: int) -> JointBoard | None:
    """The ratings of people and all judges in one model; None where they have no two systems in common.

    There is no prior: how strong it is would depend on the weights of the raters.

    Args:
        raters: the votes of each, repeats left out, in order of completion.
        seed: of all resampling.
    """
    shared = _shared({name: one_order(votes) for name, votes in raters.items()})
    if len(shared) < 2:
        return None
    comparisons = _adjusted([_compared(name, shared, seed) for name in shared if name != PEOPLE])
    joint, unrated = None, ""
    try:
        joint = rate_jointly(shared, seed=seed)
    except NoRatingsError as error:
        unrated = str(error)
    every = [battle for battles in shared.values() for battle in battles]
    telling = [battle for battles in shared.values() if not adds_nothing(battles) for battle in battles]
    found = tuple(_raters(shared, joint))
    tested = [own for own in comparisons if own.p is not None]
    return JointBoard(
        verdicts=len(telling),
        dialogues=len({battle.dialogue for battle in telling}),
        raters=found,
        standings=_standings(systems_of(every), joint),
        pairs=_pairs(joint) if joint else (),
        comparisons=comparisons,
        trusted=joint is not None and bool(tested) and not any(own.differs for own in comparisons),
        told=tuple(_told(found, comparisons)),
        undefined=joint.ratings.undefined if joint else 0.0,
        unrated=unrated,
    )


def _shared(raters: Raters) -> dict[str, list[Battle]]:
    """The battles among systems that people met and a judge met; raters that have none are left out."""
    people = {*systems_of(raters.get(PEOPLE, ()))}
    judges = {own for name, battles in raters.items() if name != PEOPLE for own in systems_of(battles)}
    among = people & judges
    kept = {name: [own for own in battles if {*own.pair} <= among] for name, battles in raters.items()}
    found = {name: battles for name, battles in kept.items() if battles}
    return found if PEOPLE in found else {}


def _compared(judge: str, shared: Raters, seed: int) -> Comparison:
    """Before the adjustment for all judges."""
    both = _shared({judge: shared[judge], PEOPLE: shared[PEOPLE]})
    p, untested, unrated = None, "", ""
    systems: tuple[Disagreement, ...] = ()
    silent = [f"{name} adds nothing" for name, battles in both.items() if adds_nothing(battles)]
    if len(both) < 2 or silent:
        untested = unrated = " and ".join(silent) or "they have no two systems in common"
    else:
        try:
            p = same_strengths(both, seed=seed)
        except NoRatingsError as error:
            untested = str(error)
        try:
            systems = _disagreements(both, seed)
        except NoRatingsError as error:
            unrated = str(error)
    return Comparison(
        judge=judge, p=p, p_holm=p, differs=False, untested=untested, systems=systems, unrated=unrated
    )


def _disagreements(both: Raters, seed: int) -> tuple[Disagreement, ...]:
    found = rate_apart(both, seed=seed)
    return tuple(
        Disagreement(
            system=name, judge=float(one), people=float(two), difference=given(found.differences[name])
        )
        for name, one, two in zip(found.systems, found.one, found.two, strict=True)
    )


def _adjusted(comparisons: Sequence[Comparison]) -> tuple[Comparison, ...]:
    tested = [own for own in comparisons if own.p is not None]
    adjusted = dict(
        zip((own.judge for own in tested), holm([own.p for own in tested if own.p is not None]), strict=True)
    )
    return tuple(
        own.model_copy(update={"p_holm": adjusted[own.judge], "differs": adjusted[own.judge] < SIGNIFICANT})
        if own.judge in adjusted
        else own
        for own in comparisons
    )


def _raters(shared: Raters, joint: Joint | None) -> Iterator[JointRater]:
    for name, battles in shared.items():
        adds = joint is not None and name in joint.place
        yield JointRater(
            rater=name,
            kind=battles[0].kind,
            verdicts=len(battles),
            opinions=round(float(opinions(battles).sum())),
            weight=joint.fit.weight[name] if joint and adds else 0.0,
            information=joint.fit.information[name] if joint and adds else 0.0,
            place=known(joint.place[name]) if joint and adds else None,
            tie=joint.fit.tie[name] if joint and adds else None,
            nothing=adds_nothing(battles),
        )


def _standings(systems: Sequence[str], joint: Joint | None) -> tuple[JointStanding, ...]:
    if joint is None:
        return tuple(JointStanding(system=name, rating=None, rank=None) for name in systems)
    by_rating = sorted(systems, key=lambda name: (-joint.ratings.fit.rating(name), name))
    return tuple(
        JointStanding(
            system=name, rating=given(joint.ratings.rating(name)), rank=given(joint.ratings.rank(name))
        )
        for name in by_rating
    )


def _pairs(joint: Joint) -> tuple[PairFinding, ...]:
    return tuple(pair_finding(own).model_copy(update={"more": None}) for own in pair_tests(joint.ratings))


def _told(raters: Sequence[JointRater], comparisons: Sequence[Comparison]) -> Iterator[str]:
    silent = [own for own in raters if own.nothing]
    for own in silent:
        yield f"{own.rater} adds nothing: {own.nothing}."
    if silent and len(silent) == len(raters) - 1:
        left = next(own.rater for own in raters if not own.nothing)
        yield f"So these are ratings by {left} alone, with the place held equal."
    for row in comparisons:
        if row.differs:
            yield (
                f"{row.judge} and people do not see the same strengths (p {p_value(row.p_holm)}): read the "
                "ratings of each by itself. Those below mix opinions that differ."
            )
        elif row.p is not None:
            yield (
                f"No difference between the strengths that {row.judge} and people see was found "
                f"(p {p_value(row.p_holm)}), which does not prove that there is none."
            )
        elif not any(row.untested.startswith(f"{own.rater} adds nothing") for own in silent):
            yield f"Whether {row.judge} and people see the same strengths cannot be tested: {row.untested}."
