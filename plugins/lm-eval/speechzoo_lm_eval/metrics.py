"""lm-eval's metrics document by document, and which of them can be compared in this way."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import mean
from typing import Any, TypeGuard

import numpy as np

MAIN = "main"
"""Name of each task's first metric, where the tasks share none."""

NO_FILTER = "none"
OF_CHOICES = ("acc", "acc_norm", "acc_bytes", "acc_mutual_info")
GREEDY = "it rests on is_greedy, which no speechzoo model tells"


@dataclass(frozen=True)
class Document:
    """One document in one run of lm-eval.

    Attributes:
        hash: lm-eval's of its content.
        options: how many there are to choose from; 0 for an open answer.
        target: the right answer, as lm-eval shows it.
        response: what lm-eval's metrics were given; of options, their log-likelihoods in nats.
        values: by metric; ``NAME,FILTER`` where a filter of lm-eval's was at work.
    """

    hash: str
    options: int
    target: Any
    response: Any
    values: dict[str, float]


@dataclass(frozen=True)
class Scores:
    """One task in one run of lm-eval.

    Attributes:
        documents: by number.
        paired: metrics that are the mean of a number of each document.
        unpaired: the others, and why.
        higher_is_better: by metric, without its filter.
    """

    documents: Mapping[int, Document]
    paired: tuple[str, ...]
    unpaired: Mapping[str, str]
    higher_is_better: Mapping[str, bool]


def by_choice(metric: str) -> bool:
    """Whether a blind guess among the options is right by chance."""
    return metric.partition(",")[0] in OF_CHOICES


def read_scores(results: Mapping[str, Any], task: str) -> Scores:
    """A task's metrics, from what ``simple_evaluate`` returned or the command line wrote."""
    kind = results["configs"][task].get("output_type", "")
    documents: dict[int, Document] = {}
    columns: dict[str, list[Any]] = {}
    for row in results["samples"][task]:
        document = documents.setdefault(int(row["doc_id"]), _document(row, kind))
        for metric in row["metrics"]:
            name = metric if row["filter"] == NO_FILTER else f"{metric},{row['filter']}"
            columns.setdefault(name, []).append(row[metric])
            if _is_number(row[metric]):
                document.values[name] = float(row[metric])
    unpaired = {
        name: reason
        for name, values in columns.items()
        if (reason := _why_not(name, values, len(documents), kind, results["results"][task]))
    }
    paired = tuple(name for name in columns if name not in unpaired)
    return Scores(documents, paired, unpaired, results["higher_is_better"].get(task, {}))


def _document(row: Mapping[str, Any], kind: str) -> Document:
    options = 0
    if kind == "multiple_choice":
        # Mutual information scores every option a second time, without the prompt.
        options = len(row["arguments"]) // (2 if "acc_mutual_info" in row["metrics"] else 1)
    response = row["filtered_resps"]
    if kind in ("multiple_choice", "loglikelihood"):
        # Pairs with is_greedy, of which nothing is known. In lm-eval's files both are texts.
        response = "; ".join(f"{float(value):.3f}" for value, _ in response)
    return Document(row["doc_hash"], options, row["target"], response, {})


def _why_not(
    name: str, values: list[Any], documents: int, kind: str, results: Mapping[str, Any]
) -> str | None:
    """Why a metric cannot be compared document by document; None if it can."""
    metric, _, chosen = name.partition(",")
    if (kind, metric) in (("loglikelihood", "acc"), ("multiple_choice", "exact_match")):
        return GREEDY
    if len(values) != documents or not all(map(_is_number, values)):
        return "it is a figure of all documents together, no document has a number of its own"
    overall = results.get(f"{metric},{chosen or NO_FILTER}")
    if not _is_number(overall) or not math.isclose(overall, mean(map(float, values)), abs_tol=1e-6):
        return "lm-eval's figure is not the mean of the documents' numbers"
    return None


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, bool | int | float | np.number) and math.isfinite(value)
