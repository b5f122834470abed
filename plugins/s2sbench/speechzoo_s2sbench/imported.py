"""Answers out of result files, in place of a model."""

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from speechzoo import Capability, Condition, ContinuationScore, Failure, Item, ModelSpec, ScoreAnswer
from speechzoo.asks import ROUNDING
from speechzoo.loading import Component
from speechzoo.run.executors import Answered
from speechzoo.run.plan import Work
from speechzoo.run.records import Key

from speechzoo_s2sbench.losses import NO_LOSS
from speechzoo_s2sbench.results import Results

# Nats a token. Guessing among a million tokens costs 14; a mean of 700 times that is a broken number.
MAX_LOSS = 1e4

Imported = Mapping[Condition, Mapping[str, Results]]
"""Results by condition and subset."""


@dataclass(frozen=True)
class ImportedLosses:
    """An executor that looks losses up by item and condition.

    Attributes:
        items: of the task, by id.
        results: what was imported.
    """

    items: Mapping[str, Item]
    results: Imported

    def run(self, batches: Iterable[list[Work]]) -> Iterator[Answered]:
        for batch in batches:
            yield [(work, self._answer(work.key)) for work in batch]

    def close(self) -> None:
        """There is nothing to end."""

    def _answer(self, key: Key) -> ScoreAnswer | Failure:
        if key.variant:
            return Failure("not_imported", f"the results have no losses of the variant {key.variant}")
        item = self.items[key.item]
        losses = self.results[key.condition][str(item.attributes["subset"])].losses
        found = [losses.get(one) for one in zip(item.data["uttids"], item.data["keys"], strict=True)]
        known = [loss for loss in found if loss is not None]
        if odd := [loss for loss in known if not math.isfinite(loss)]:
            return Failure("non_finite", f"the results have the loss {odd[0]}")
        if odd := [loss for loss in known if not -ROUNDING <= loss <= MAX_LOSS]:
            return Failure(
                "impossible_loss",
                f"the results have the loss {odd[0]:g}; a mean a token is within 0 and {MAX_LOSS:g} nats",
            )
        scores = [NO_LOSS if loss is None else ContinuationScore(-loss, 1) for loss in found]
        return ScoreAnswer(tuple(scores), means=True)


def imported_model(name: str, package: str, results: Imported) -> Component:
    """The system that the losses are filed under; its identity holds the files' hashes."""
    files = {
        f"{condition}.{subset}": hashlib.sha256(own.file.read_bytes()).hexdigest()
        for condition, by_subset in results.items()
        for subset, own in by_subset.items()
    }
    spec = ModelSpec(
        name="s2sbench-import",
        target="speechzoo_s2sbench.imported:ImportedLosses",
        summary=f"losses of {name} that were imported, not computed here",
        capabilities=frozenset(
            {
                Capability.TEXT_IN,
                Capability.AUDIO_IN,
                Capability.SCORE_UNDER_TEXT,
                Capability.SCORE_UNDER_AUDIO,
            }
        ),
    )
    return Component(kind="model", name=name, spec=spec, package=package, parameters=files)


def import_notes(results: Imported, items: Iterable[Item]) -> Iterator[str]:
    """Where the losses are from, and what in the files could mislead."""
    known = {one for item in items for one in zip(item.data["uttids"], item.data["keys"], strict=True)}
    for condition, by_subset in results.items():
        for subset, own in by_subset.items():
            told = f"{condition}, {subset}: losses imported from {own.file}"
            if own.repeated:
                told += f"; {own.repeated} lines repeat a continuation, the last one counts"
            if strange := len(own.losses.keys() - known):
                told += f"; {strange} losses belong to no item"
            yield f"{told}."
