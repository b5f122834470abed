"""Do the published judges rank systems as people do? Computed from the printed tables alone."""

from collections.abc import Sequence
from typing import Any, get_args

from speechzoo_arena.agreement import rank_correlation
from speechzoo_arena.intervals import RESAMPLES
from speechzoo_arena.judge_findings import AgainstPeople, BetweenProtocols, MetaEvaluation, Printed, known
from speechzoo_arena.published import DIMENSIONS, HUMAN, PrintedLean, Protocol, PublishedResults

_Z2 = 1.959964**2
_NOTES = (
    f"Intervals are 95 % percentile intervals over {RESAMPLES:,} resamples of systems. With so few systems "
    "they are rough, and they do not hold the uncertainty of the printed values themselves.",
    "Rank correlations are of printed values, which are rounded: equal ones share their mean rank.",
    "Battles and chance levels that printed values fit are ours: p (1 - p) (1.96 / half width)^2 of the "
    "position bias, and (rate - kappa) / (1 - kappa).",
)


def meta_evaluation(results: PublishedResults, *, seed: int) -> MetaEvaluation:
    """Spearman's rho and Kendall's tau-b of each judge with people, by protocol and dimension.

    Args:
        results: the printed tables.
        seed: of the resampling of systems.
    """
    judges = [name for name in results.evaluators if name != HUMAN]
    protocols: tuple[Protocol, ...] = get_args(Protocol)
    return MetaEvaluation(
        source=results.source,
        systems=results.systems,
        against_people=tuple(
            AgainstPeople(
                protocol=protocol,
                dimension=dimension,
                judge=judge,
                **rank_row(
                    results.column(protocol, HUMAN, dimension),
                    results.column(protocol, judge, dimension),
                    seed=seed,
                ),
            )
            for protocol in protocols
            for dimension in DIMENSIONS
            for judge in judges
        ),
        between_protocols=tuple(
            BetweenProtocols(
                evaluator=evaluator,
                dimension=dimension,
                **rank_row(
                    results.column("arena", evaluator, dimension),
                    results.column("rubrics", evaluator, dimension),
                    seed=seed,
                ),
            )
            for dimension in DIMENSIONS
            for evaluator in results.evaluators
        ),
        printed=tuple(
            Printed(
                evaluator=evaluator,
                bias=results.bias[evaluator],
                battles=_battles(results.bias[evaluator].position),
                agreement=results.agreement[evaluator],
                chance=results.agreement[evaluator].chance,
            )
            for evaluator in results.evaluators
        ),
        notes=(*results.notes, *_NOTES),
    )


def rank_row(one: Sequence[float], two: Sequence[float], *, seed: int) -> dict[str, Any]:
    """The fields of a `RankRow`."""
    return {
        "systems": len(one),
        "spearman": known(rank_correlation(one, two, "spearman", seed=seed)),
        "kendall": known(rank_correlation(one, two, "kendall", seed=seed)),
    }


def _battles(lean: PrintedLean) -> int:
    """How many independent battles give an interval of this width, by the normal approximation."""
    share, half_width = lean.share / 100, (lean.high - lean.low) / 200
    return round(_Z2 * share * (1 - share) / half_width**2)
