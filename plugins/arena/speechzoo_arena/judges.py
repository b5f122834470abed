"""What votes say about who gave them: bias, self-consistency, agreement with each other and people."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import combinations

from speechzoo import SpeechzooError

from speechzoo_arena.agreement import PEOPLE, Verdicts, agreement, by_judge, reliability, verdicts_of
from speechzoo_arena.bias import Lean, LengthLean, length_bias, position_bias, self_consistency
from speechzoo_arena.bradley_terry import NoRatingsError, bradley_terry
from speechzoo_arena.intervals import RESAMPLES
from speechzoo_arena.judge_findings import (
    AgreementFinding,
    JudgeFinding,
    LeanFinding,
    LengthFinding,
    Measured,
    RankingFinding,
    ReliabilityFinding,
    known,
)
from speechzoo_arena.meta_evaluation import rank_row
from speechzoo_arena.orders import both_orders, one_order
from speechzoo_arena.records import Battle, Vote, failures

FEWEST_RANKED = 3
_NOTES = (
    "Shares of wins are over verdicts with a winner, each order by itself. Their intervals (Wilson's, with "
    "the design effect of clusters) and sign-flip p count dialogues of one cluster as dependent.",
    "Longer replies may be better ones: length is a bias as far as people, on the same battles, lean less.",
    "Agreement is over one verdict a battle: both orders merged, of people that of most, a tie if none "
    "leads; a battle of which one order failed is none. Categories are first, tie and second; each battle "
    "enters in both directions, so chance "
    "is a coin's toss between its two systems, ties apart. Kappas with the winner's name as the category are "
    "higher: they take chance for 1 in the number of systems.",
    f"Intervals of kappa and alpha are over {RESAMPLES:,} resamples of clusters of dialogues, those of rank "
    "correlations over as many resamples of systems.",
)


def measure_judges(votes: Sequence[Vote], *, seed: int) -> Measured:
    """Everything about the judges of these votes; people are told of together.

    Args:
        votes: `distinct`, in order of completion, of any number of judges.
        seed: of all resampling.

    Raises:
        SpeechzooError: there are none, or a model and a person have one name.
    """
    _refuse_mixed(votes)
    raters = _raters(votes)
    battles = {name: _battles(own) for name, own in raters.items()}
    notes = list(_NOTES)
    return Measured(
        judges=tuple(_judge(name, own, seed) for name, own in raters.items()),
        agreements=tuple(_agreements(battles, seed)),
        reliabilities=tuple(_reliabilities(votes, seed)),
        rankings=tuple(_rankings(battles, seed, notes)),
        notes=tuple(notes),
    )


def _battles(votes: Sequence[Vote]) -> list[Battle]:
    """What ratings are made of: a battle of which one order failed is none, and nothing counts twice."""
    return list(both_orders([own for own in votes if not own.repeat]).battles)


def _refuse_mixed(votes: Sequence[Vote]) -> None:
    if not votes:
        raise SpeechzooError("there are no votes to report on")
    names = {kind: {own.judge for own in votes if own.kind == kind} for kind in ("model", "human")}
    if both := sorted((names["model"] & names["human"]) | ({PEOPLE} & names["model"])):
        raise SpeechzooError(f"the name of a person is that of a model, too: {', '.join(both)}; rename one")


def _raters(votes: Sequence[Vote]) -> dict[str, list[Vote]]:
    """Each model by itself, by name, then all people together."""
    models = sorted({own.judge for own in votes if own.kind == "model"})
    raters = {name: [own for own in votes if own.judge == name] for name in models}
    people = [own for own in votes if own.kind == "human"]
    return {**raters, PEOPLE: people} if people else raters


def _judge(name: str, votes: Sequence[Vote], seed: int) -> JudgeFinding:
    once = [own for own in votes if not own.repeat]
    battles = one_order(once)
    merged = both_orders(once)
    position = position_bias(battles, seed=seed)
    repeats = self_consistency(one_order(votes))
    lengths = (length_bias(battles, "seconds", seed=seed), length_bias(battles, "words", seed=seed))
    return JudgeFinding(
        judge=name,
        kind=votes[0].kind,
        people=len({own.judge for own in votes}),
        votes=len(votes),
        failed=failures(votes),
        dialogues=len({battle.dialogue for battle in battles}),
        both_orders=merged.both,
        reversed=merged.reversed / merged.both if merged.both else None,
        half=merged.half / merged.both if merged.both else None,
        incomplete=merged.incomplete,
        position=_lean(position) if position else None,
        lengths=tuple(
            _length(unit, lean)
            for unit, lean in zip(("seconds", "words"), lengths, strict=True)
            if lean is not None
        ),
        repeated=repeats.materials if repeats else 0,
        consistency=known(repeats.share) if repeats else None,
    )


def _lean(lean: Lean) -> LeanFinding:
    return LeanFinding.model_validate(asdict(lean))


def _length(unit: str, lean: LengthLean) -> LengthFinding:
    margin = known(lean.margin)
    assert margin is not None
    return LengthFinding(
        unit=unit,
        lean=_lean(lean.lean) if lean.lean else None,
        margin=margin,
        equal=lean.equal,
        unknown=lean.unknown,
    )


def _agreements(battles: Mapping[str, Sequence[Battle]], seed: int) -> list[AgreementFinding]:
    """Of each two raters, over everything and by group."""
    groups = sorted({battle.group for own in battles.values() for battle in own})
    found = []
    for one, two in combinations(battles, 2):
        for group in ["", *groups] if len(groups) > 1 else [""]:
            first, second = (_of_group(battles[name], group) for name in (one, two))
            if (own := agreement(first, second, seed=seed)) is None:
                continue
            rate = known(own.rate)
            assert rate is not None
            found.append(
                AgreementFinding(
                    one=one,
                    two=two,
                    group=group,
                    battles=own.battles,
                    rate=rate,
                    kappa=known(own.kappa),
                    chance=own.chance,
                )
            )
    return found


def _of_group(battles: Sequence[Battle], group: str) -> Verdicts:
    return verdicts_of([battle for battle in battles if not group or battle.group == group])


def _reliabilities(votes: Sequence[Vote], seed: int) -> list[ReliabilityFinding]:
    """Among the models, among people, and among all of them, where there are several."""
    chosen = {
        "models": [own for own in votes if own.kind == "model"],
        PEOPLE: [own for own in votes if own.kind == "human"],
        "models and people": list(votes),
    }
    found = []
    for among, own in chosen.items():
        raters = {name: verdicts_of(battles) for name, battles in by_judge(_battles(own)).items()}
        if among == "models and people" and len({vote.kind for vote in own}) < 2:
            continue
        if (told := reliability(raters, seed=seed)) is not None:
            found.append(
                ReliabilityFinding(
                    among=among, raters=told.raters, battles=told.battles, alpha=known(told.alpha)
                )
            )
    return found


def _rankings(battles: Mapping[str, Sequence[Battle]], seed: int, notes: list[str]) -> list[RankingFinding]:
    """Of each two raters whose battles determine ratings; who has none is told in the notes."""
    ratings: dict[str, dict[str, float]] = {}
    for name, own in battles.items():
        if own:
            try:
                fit = bradley_terry(own)
            except NoRatingsError as error:
                notes.append(f"{name} has no ratings to rank by: {error}")
            else:
                ratings[name] = dict(zip(fit.systems, fit.ratings.tolist(), strict=True))
    found = []
    for one, two in combinations(ratings, 2):
        shared = [system for system in ratings[one] if system in ratings[two]]
        if len(shared) >= FEWEST_RANKED:
            values = ([ratings[name][system] for system in shared] for name in (one, two))
            found.append(RankingFinding(one=one, two=two, **rank_row(*values, seed=seed)))
    return found
