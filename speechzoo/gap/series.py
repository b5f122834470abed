"""What findings over several runs of one model share: checkpoints of a training, cells of a factorial."""

from collections.abc import Collection, Mapping, Sequence
from typing import TypeVar

from speechzoo.asks import Failure
from speechzoo.errors import SetupError
from speechzoo.gap.comparison import require_same_task
from speechzoo.gap.stages import Measured, measured
from speechzoo.run.records import Results

UNFINISHED = ("not_answered", "not_graded")

RunKey = TypeVar("RunKey", int, str)


def finished(
    runs: Mapping[RunKey, Results], missing: Mapping[RunKey, str], what: str
) -> tuple[dict[RunKey, list[Measured]], dict[RunKey, str]]:
    """The stages of every finished run, in the order of ``runs``; and why others have none, in short.

    Args:
        runs: of one model on one task.
        missing: why other runs are not there.
        what: a run is of, such as ``cell``.

    Raises:
        SetupError: no run is finished.
        SpeechzooError: the runs are not of the same task and data.
    """
    stages = {key: measured(results) for key, results in runs.items()}
    unfinished = {key: told for key, own in stages.items() if (told := _unfinished(own))}
    done = {key: own for key, own in stages.items() if key not in unfinished}
    absent = {key: _in_short(reason) for key, reason in {**missing, **unfinished}.items()}
    if not done:
        told = "\n".join(f"{what} {key}: {reason}" for key, reason in absent.items())
        raise SetupError(f"no {what} has a finished run, so there is nothing to show:\n{told}")
    first = next(iter(done))
    for key in done:
        require_same_task(runs[first], runs[key])
    return done, absent


def _unfinished(stages: Sequence[Measured]) -> str | None:
    """A run with half its answers would take the other half of the items from all the others."""
    outcomes = [(item, outcome) for own in stages for item, outcome in own.outcomes.items()]
    items = {item for item, _ in outcomes}
    left = {
        item for item, outcome in outcomes if isinstance(outcome, Failure) and outcome.reason in UNFINISHED
    }
    if not left:
        return None
    done = len(items) - len(left)
    return f"its run is not finished ({done} of {len(items)} items answered); run the same command again"


def _in_short(reason: str) -> str:
    """Without what a traceback has between its two ends."""
    lines = [line.strip() for line in reason.splitlines() if line.strip()]
    return " ".join(dict.fromkeys((lines[0], lines[-1]))) if lines else "no reason is known"


def holding(items: Collection[str], runs: Mapping[RunKey, Results], keys: Collection[RunKey]) -> Results:
    """A run that knows all the items, which are valid in every one; their clusters are the same in all."""
    return next(runs[key] for key in keys if set(items) <= runs[key].items.keys())


def arm(stage: str, key: int | str) -> str:
    """The name of one stage of one run among all arms."""
    return f"{stage} {key}"
