"""The task ``s2sbench-mini``: story pairs and choice questions scored by likelihood."""

import json
from collections.abc import Iterator
from pathlib import Path
from statistics import mean

from speechzoo import (
    Answer,
    AudioClip,
    Condition,
    Failure,
    Grade,
    Item,
    Metric,
    ScoreAnswer,
    ScoreAsk,
    Setup,
    raw,
)
from speechzoo.jsonl import Row
from speechzoo.weights import verify_files

from speechzoo_s2sbench.protocol import (
    LAST_LISTED,
    CmmluMetric,
    Language,
    Normalisation,
    Part,
    PromptLang,
    PromptStyle,
    Ties,
    judge,
    loss,
    prompt,
)
from speechzoo_s2sbench.records import read_choices, read_stories

LANGUAGE: Language = "en"
BIN = 10


class S2SBenchMini:
    """S2SBench's protocol (arXiv:2505.14438) on our own stories and questions.

    One item is a story pair, one comparison, or a choice question, three comparisons under the metric
    ``pairwise``. Twins share their endings and are one cluster.
    """

    version = "1"
    conditions = (Condition.T2T, Condition.S2T)

    def __init__(
        self,
        setup: Setup,
        *,
        ties: Ties = "reference",
        cmmlu_metric: CmmluMetric = "pairwise",
        prompt_style: PromptStyle = "reference",
        prompt_lang: PromptLang = "per_dataset",
        normalisation: Normalisation = "token",
    ) -> None:
        folder = setup.files()
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        verify_files(folder, manifest["files"])
        self._ties = ties
        self._cmmlu_metric = cmmlu_metric
        self._prompt_style = prompt_style
        self._prompt_language = LANGUAGE if prompt_lang == "per_dataset" else LAST_LISTED
        self._normalisation = normalisation
        self._items = (*_story_items(folder), *_choice_items(folder))
        self.metrics = (
            Metric("accuracy", chance=self._chance()),
            Metric("loss_right", higher_is_better=False, high=None),
            Metric("loss_wrong", higher_is_better=False, high=None),
        )

    def items(self) -> tuple[Item, ...]:
        return self._items

    def ask(self, item: Item, condition: Condition) -> ScoreAsk:
        given = prompt(self._prompt_language, condition.speech_in, self._prompt_style)
        first = item.data["first"]
        # Prefix and text are one string: split, their tokens would be those of neither mode.
        context = raw(given.prefix, item.data["clip"]) if condition.speech_in else raw(given.prefix + first)
        return ScoreAsk(context, tuple(given.space + text for text in item.data["continuations"]))

    def grade(self, item: Item, condition: Condition, answer: Answer) -> Grade | Failure:
        if not isinstance(answer, ScoreAnswer):
            return Failure("wrong_answer_shape", f"scores were asked, got {type(answer).__name__}")
        texts = item.data["continuations"]
        losses = [
            loss(score, text, self._normalisation) for score, text in zip(answer.scores, texts, strict=True)
        ]
        right = losses.pop(item.data["right"])
        verdict = judge(right, losses, item.data["part"], self._ties, self._metric_of(item))
        return Grade(
            values={"accuracy": mean(verdict.credits), "loss_right": right, "loss_wrong": mean(losses)},
            weight=len(verdict.credits),
            tie=verdict.tie,
            details={"loss_right": right, "loss_wrong": losses, "margin": min(losses) - right},
        )

    def _metric_of(self, item: Item) -> CmmluMetric:
        return self._cmmlu_metric if item.data["part"] == "choices" else "pairwise"

    def _chance(self) -> float:
        """One half of every comparison; a choice of four is one comparison that a quarter wins."""
        if self._cmmlu_metric == "pairwise":
            return 0.5
        return sum(1 / len(item.data["continuations"]) for item in self._items) / len(self._items)


def _story_items(folder: Path) -> Iterator[Item]:
    for pair in read_stories(folder / "stories.jsonl"):
        story = pair.plausible
        continuations = (story.last, pair.implausible.last)
        yield _item(f"story-{story.key // 2}", "stories", story.row, folder, continuations, right=0)


def _choice_items(folder: Path) -> Iterator[Item]:
    for choice in read_choices(folder / "choices.jsonl"):
        yield _item(f"choice-{choice.uttid}", "choices", choice.row, folder, choice.options, choice.right)


def _item(name: str, part: Part, row: Row, folder: Path, continuations: tuple[str, ...], right: int) -> Item:
    first = row.text("first")
    return Item(
        id=name,
        data={
            "part": part,
            "first": first,
            "clip": AudioClip.from_file(row.path("audio", folder), transcript=first),
            "continuations": list(continuations),
            "right": right,
        },
        attributes={"subset": part, "voice": row.text("voice"), "context_words": length_bin(first)},
        cluster=row.text("set"),
    )


def length_bin(text: str) -> str:
    """How many words a text has, in tens: ``20-29``."""
    low = len(text.split()) // BIN * BIN
    return f"{low}-{low + BIN - 1}"
