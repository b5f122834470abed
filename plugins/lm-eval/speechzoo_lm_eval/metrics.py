"""lm-eval's metrics document by document, and which of them can be compared in this way."""

import math
from collections.abc import Collection, Mapping, Sequence
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
        prompt: lm-eval's hash of the prompt, of the first one if there are several.
        options: how many there are to choose from; 0 for an open answer.
        target: the right answer, as lm-eval shows it.
        response: what lm-eval's metrics were given; of options, their log-likelihoods in nats.
        target_hash: lm-eval's of the right answer.
        values: by metric; ``NAME,FILTER`` where a filter of lm-eval's was at work. Empty without an answer.
    """

    hash: str
    prompt: str
    options: int
    target: Any
    response: Any
    target_hash: str
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


def read_scores(results: Mapping[str, Any], task: str, unanswered: Collection[int] = ()) -> Scores:
    """A task's metrics, from what ``simple_evaluate`` returned or the command line wrote.

    Args:
        results: of one run of lm-eval.
        task: by its name there.
        unanswered: numbers of the documents that the model had no answer to, so that lm-eval's are made up.
    """
    config = results["configs"][task]
    documents: dict[int, Document] = {}
    columns: dict[str, list[tuple[int, Any]]] = {}
    for row in results["samples"][task]:
        number = int(row["doc_id"])
        document = documents.setdefault(number, _document(row, config.get("output_type", "")))
        for metric in row["metrics"]:
            name = metric if row["filter"] == NO_FILTER else f"{metric},{row['filter']}"
            columns.setdefault(name, []).append((number, row[metric]))
            if number not in unanswered and _is_number(row[metric]):
                document.values[name] = float(row[metric])
    answered = documents.keys() - set(unanswered)
    unpaired = {
        name: reason
        for name, column in columns.items()
        if (reason := _why_not(name, column, answered, config, results["results"][task]))
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
    return Document(
        hash=row["doc_hash"],
        prompt=row["prompt_hash"],
        options=options,
        target=row["target"],
        response=response,
        target_hash=row["target_hash"],
        values={},
    )


def _why_not(
    name: str,
    column: Sequence[tuple[int, Any]],
    answered: Collection[int],
    config: Mapping[str, Any],
    results: Mapping[str, Any],
) -> str | None:
    """Why a metric cannot be compared document by document; None if it can."""
    metric, _, chosen = name.partition(",")
    if (config.get("output_type"), metric) in (("loglikelihood", "acc"), ("multiple_choice", "exact_match")):
        return GREEDY
    of_answers = [value for number, value in column if number in answered]
    if len(of_answers) != len(answered) or not all(map(_is_number, of_answers)):
        return "it is a figure of all documents together, no document has a number of its own"
    if not _is_mean(metric, results.get(f"{metric},{chosen or NO_FILTER}"), [v for _, v in column], config):
        return "lm-eval's figure is not the mean of the documents' numbers"
    return None


def _is_mean(metric: str, overall: Any, values: Sequence[Any], config: Mapping[str, Any]) -> bool:
    """Whether lm-eval's figure is the mean of all values, made up ones among them."""
    numbers = [float(value) for value in values if _is_number(value)]
    if _is_number(overall):
        return bool(numbers) and math.isclose(overall, mean(numbers), abs_tol=1e-6)
    # A document without an answer makes it NaN: what it would have been only the configuration can tell.
    listed = config.get("metric_list", ())
    named = any(own.get("metric") == metric and own.get("aggregation") == "mean" for own in listed)
    return named and len(numbers) < len(values)


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, bool | int | float | np.number) and math.isfinite(value)
