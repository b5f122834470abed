"""speechzoo's tasks as tasks of lm-evaluation-harness."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, cast

from datasets import Dataset
from lm_eval.api.task import ConfigurableTask
from speechzoo import (
    AudioClip,
    Condition,
    ContinuationScore,
    Failure,
    Item,
    ItemError,
    Message,
    ReplyAnswer,
    ReplyAsk,
    ScoreAnswer,
    ScoreAsk,
    SpeechzooError,
    Task,
)
from speechzoo.asks import Ask
from speechzoo.catalogue import open_catalogue
from speechzoo.loading import Component, load
from speechzoo.registry import Value
from speechzoo.run.records import keep_clip
from speechzoo.task import is_judged
from speechzoo.weights import cache_folder

from speechzoo_lm_eval.context import MARKER

INVALID = "invalid"
TEST = "test"


def as_lm_eval_task(
    name: str,
    condition: str = "s2t",
    settings: Mapping[str, Value] | None = None,
    data: str | None = None,
) -> "SpeechzooTask":
    """A task for ``simple_evaluate(tasks=[...])``, with any model class that takes audio as paths.

    Where continuations are scored it is ``multiple_choice`` with lm-eval's own ``acc``, ``acc_norm`` and
    ``acc_bytes``: lm-eval gives no token counts, so a mean a token cannot be had. Where a reply is wanted it
    is ``generate_until`` with the task's own grade; a reply without a grade counts in the metric ``invalid``
    and in no other.

    Args:
        name: of a task, or ``NAME/SUBSET``.
        condition: ``s2t`` or ``t2t``.
        settings: of its parameters and parts.
        data: other data for it.

    Raises:
        SpeechzooError: lm-eval has no form for what the task asks.
    """
    label = f"speechzoo_{name}_{'speech' if Condition(condition).speech_in else 'text'}"
    metadata = {"speechzoo_task": name, "speechzoo_condition": condition}
    if settings:
        metadata["speechzoo_settings"] = dict(settings)  # type: ignore[assignment]
    if data:
        metadata["speechzoo_data"] = data
    return SpeechzooTask(config={"task": label.replace("-", "_").replace("/", "_"), "metadata": metadata})


class SpeechzooTask(ConfigurableTask):  # type: ignore[misc]
    """The class behind `as_lm_eval_task` and the YAML files of ``speechzoo lm-eval-path``.

    Args:
        config: ``task``, and ``metadata`` with ``speechzoo_task``, ``speechzoo_condition`` and, where they
            are wanted, ``speechzoo_settings`` and ``speechzoo_data``.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        about = config["metadata"]
        self._condition = Condition(about["speechzoo_condition"])
        component = open_catalogue().task(
            about["speechzoo_task"], about.get("speechzoo_settings"), about.get("speechzoo_data")
        )
        self._name = component.name
        self._task = cast(Task, load(component))
        _refuse_unfit(component, self._task, self._condition)
        self._items = {item.id: item for item in self._task.items()}
        rows = [_row(self._task, item, self._condition) for item in self._items.values()]
        scored = _are_scored(component, rows)
        super().__init__(config=_config(config, self._task, rows, scored))

    def process_results(self, doc: Mapping[str, Any], results: Sequence[Any]) -> dict[str, float]:
        """lm-eval's own metrics of a choice; of a reply, the task's grade."""
        if self.OUTPUT_TYPE == "multiple_choice":
            return cast(dict[str, float], super().process_results(doc, results))
        grade = self._task.grade(self._items[doc["id"]], self._condition, ReplyAnswer(str(results[0])))
        if isinstance(grade, Failure):
            return {INVALID: 1.0}
        return {**{name: float(value) for name, value in grade.values.items()}, INVALID: 0.0}


def _refuse_unfit(component: Component, task: Task, condition: Condition) -> None:
    if is_judged(task):
        raise SpeechzooError(f"{component.name} needs a judge, which lm-eval has none of: use speechzoo eval")
    if condition.speech_out:
        raise SpeechzooError(
            f"{component.name}: lm-eval takes texts for answers, so {condition} cannot be asked in it; "
            "use t2t or s2t, or speechzoo eval"
        )
    if condition not in task.conditions:
        offered = ", ".join(task.conditions)
        raise SpeechzooError(f"{component.name} has no condition {condition}; it has: {offered}")


def _row(task: Task, item: Item, condition: Condition) -> dict[str, Any]:
    """An item as a document: a prompt with markers for its clips, their paths, and what can follow.

    Raises:
        SpeechzooError: lm-eval has no form for it.
    """
    try:
        ask = task.ask(item, condition)
    except ItemError as error:
        raise SpeechzooError(
            f"item {item.id} cannot be asked, and lm-eval knows no such document: {error}"
        ) from error
    row = {"id": item.id, "choices": [], "answer": 0, "max_tokens": 0}
    if isinstance(ask, ReplyAsk):
        return {**row, **_prompt(ask.dialogue, item), "max_tokens": ask.max_tokens}
    if not isinstance(ask, ScoreAsk) or not all(isinstance(one, str) for one in ask.continuations):
        raise SpeechzooError(
            f"item {item.id} asks for {_named(ask)}, which lm-eval has no form for: use speechzoo eval"
        )
    right = _right(task, item, condition, len(ask.continuations))
    return {**row, **_prompt(ask.context, item), "choices": list(ask.continuations), "answer": right}


def _named(ask: Ask) -> str:
    if isinstance(ask, ScoreAsk):
        return "scores of spoken continuations"
    names = {"MultiScoreAsk": "continuations of several prompts", "DialogueAsk": "replies to several turns"}
    return names.get(type(ask).__name__, type(ask).__name__)


def _prompt(dialogue: Sequence[Message], item: Item) -> dict[str, Any]:
    if len(dialogue) > 1:
        raise SpeechzooError(
            f"item {item.id} has {len(dialogue)} messages, and a document of lm-eval is one: a system prompt "
            "is --system_instruction; for the rest use speechzoo eval"
        )
    parts = [part for message in dialogue for part in message.parts]
    texts = [MARKER if isinstance(part, AudioClip) else part for part in parts]
    paths = [_path(part) for part in parts if isinstance(part, AudioClip)]
    return {"prompt": "".join(texts), "audio": paths}


def _path(clip: AudioClip) -> str:
    """A file that has the content's hash for its name, so that caches keyed by paths are right."""
    folder = cache_folder() / "lm-eval"
    folder.mkdir(parents=True, exist_ok=True)
    return str(folder / keep_clip(clip, folder))


def _right(task: Task, item: Item, condition: Condition, options: int) -> int:
    """The option that earns the most when it is by far the likeliest.

    Raises:
        SpeechzooError: that is not one alone.
    """
    earned = [_earned(task, item, condition, options, place) for place in range(options)]
    best = [place for place, value in enumerate(earned) if value == max(earned)]
    if len(best) != 1:
        raise SpeechzooError(f"item {item.id} has not one right option, so it is no choice for lm-eval")
    return best[0]


def _earned(task: Task, item: Item, condition: Condition, options: int, likeliest: int) -> float:
    scores = [ContinuationScore(-1.0 if place == likeliest else -1000.0, 1) for place in range(options)]
    grade = task.grade(item, condition, ScoreAnswer(tuple(scores)))
    metric = task.metrics[0]
    if isinstance(grade, Failure) or metric.name not in grade.values:
        raise SpeechzooError(
            f"item {item.id}: {metric.name} cannot be told from log-likelihoods alone: {grade}"
        )
    return grade.values[metric.name] * (1 if metric.higher_is_better else -1)


def _are_scored(component: Component, rows: Sequence[Mapping[str, Any]]) -> bool:
    kinds = {bool(row["choices"]) for row in rows}
    if len(kinds) != 1:
        raise SpeechzooError(
            f"{component.name} has items to score and items to reply to, or none: take a subset"
        )
    return kinds.pop()


def _config(given: Mapping[str, Any], task: Task, rows: list[dict[str, Any]], scored: bool) -> dict[str, Any]:
    heard = any(row["audio"] for row in rows)
    config = {
        **{key: value for key, value in given.items() if key != "class"},
        "custom_dataset": partial(_dataset, rows),
        "test_split": TEST,
        "doc_to_text": "prompt",
        "target_delimiter": "",
        **({"doc_to_audio": "audio"} if heard else {}),
    }
    if scored:
        metrics = ("acc", "acc_norm", "acc_bytes")
        return {
            **config,
            "output_type": "multiple_choice",
            "doc_to_choice": "choices",
            "doc_to_target": "answer",
            "metric_list": [_mean_of(name, True) for name in metrics],
        }
    lengths = sorted({row["max_tokens"] for row in rows})
    if len(lengths) > 1:
        told = " or ".join(map(str, lengths))
        raise SpeechzooError(f"{given['task']}: a reply takes {told} tokens, lm-eval has one limit for all")
    return {
        **config,
        "output_type": "generate_until",
        "doc_to_target": "id",
        "generation_kwargs": {"until": [], "max_gen_toks": lengths[0], "do_sample": False},
        "process_results": "its own",
        "metric_list": [
            *(_mean_of(metric.name, metric.higher_is_better is not False) for metric in task.metrics),
            _mean_of(INVALID, False),
        ],
    }


def _mean_of(metric: str, higher_is_better: bool) -> dict[str, Any]:
    return {"metric": metric, "aggregation": "mean", "higher_is_better": higher_is_better}


def _dataset(rows: list[dict[str, Any]], **_: object) -> dict[str, Dataset]:
    """lm-eval hands over whatever stands in a task's metadata."""
    return {TEST: Dataset.from_list(rows)}
