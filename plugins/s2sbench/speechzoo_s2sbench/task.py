"""The tasks ``s2sbench`` and ``s2sbench-mini``: story pairs and choice questions scored by likelihood."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from statistics import mean
from typing import ClassVar

from speechzoo import (
    Answer,
    AudioClip,
    Condition,
    Dialogue,
    Failure,
    Grade,
    Item,
    ItemError,
    Metric,
    ScoreAnswer,
    ScoreAsk,
    Setup,
    SpeechzooError,
    raw,
)
from speechzoo.asks import MultiScoreAsk
from speechzoo.dialogue import Part
from speechzoo.weights import verify_files

from speechzoo_s2sbench.data import MINI, S2SBENCH, Loaded, Source, Subset, check_records, read_subjects
from speechzoo_s2sbench.losses import (
    NO_LOSS,
    NORMALISATIONS,
    LengthDenominator,
    LossDtype,
    LossRule,
    Normalisation,
)
from speechzoo_s2sbench.protocol import (
    LAST_LISTED,
    CmmluMetric,
    ContextAudio,
    Language,
    Prompt,
    PromptLang,
    PromptStyle,
    Ties,
    Verdict,
    judge,
    prompt,
)
from speechzoo_s2sbench.records import Pairing
from speechzoo_s2sbench.speech import Speaker

MANIFEST = "manifest.json"
TEXT_FOLLOWS = (Condition.T2T, Condition.S2T)
SPEECH_FOLLOWS = (Condition.T2S, Condition.S2S)
PROMPTS_DIFFER = (
    "Text and speech are given different strings, as in the reference, so T - S and CT - C include that "
    "change; prompt_style=matched gives both the same."
)


class S2SBench:
    """S2SBench (arXiv:2505.14438): the plausible continuation of a context must have the lowest loss.

    One item is a story pair, one comparison, or a choice question, three comparisons under the metric
    ``pairwise``. Continuations are scored as text (``t2t``, ``s2t``) and, where they are there as speech or
    a voice is set, by the model's own audio tokens (``t2s``, ``s2s``): what part of those a model scores
    is its own matter, so accuracies can be compared between models, losses cannot.

    Attributes:
        subsets: the data sets, by name.
        notes: counts of records and pairs, what is odd about them, and whether prompts differ.

    Raises:
        SpeechzooError: the data cannot be read, or options contradict each other.
    """

    version = "2"
    subsets: ClassVar[Mapping[str, Subset]] = S2SBENCH

    def __init__(
        self,
        setup: Setup,
        *,
        subset: str = "",
        ties: Ties = "reference",
        cmmlu_metric: CmmluMetric = "pairwise",
        prompt_style: PromptStyle = "reference",
        prompt_lang: PromptLang = "per_dataset",
        length_denominator: LengthDenominator = "continuation_tokens",
        loss_dtype: LossDtype = "float32",
        normalisation: Normalisation = "token",
        context_audio: ContextAudio = "own",
        pairing: Pairing = "checked",
        chat_wrap: bool = False,
        subjects: str = "",
    ) -> None:
        if chat_wrap and normalisation == "unconditional":
            raise SpeechzooError(
                "normalisation=unconditional needs the continuations scored without a context, which "
                "chat_wrap=true leaves none of: choose one of the two"
            )
        self._ties = ties
        self._cmmlu_metric = cmmlu_metric
        self._prompt_style = prompt_style
        self._prompt_lang = prompt_lang
        self._rule = LossRule(length_denominator, loss_dtype)
        self._normalisation = normalisation
        self._context_audio = context_audio
        self._chat = chat_wrap
        self._speaker = Speaker(setup) if "voice" in setup.parts else None
        loaded = self._load(setup, subset, pairing, subjects)
        everything = chain.from_iterable(one.items for one in loaded)
        self._items = tuple(replace(item, chance=self._chance_of(item)) for item in everything)
        self.conditions, lacking = self._conditions()
        prompts = (PROMPTS_DIFFER,) if prompt_style == "reference" else ()
        self.notes = (*chain.from_iterable(one.notes for one in loaded), *prompts, *lacking)
        chance = mean(map(self._chance_of, self._items)) if self._items else None
        self.metrics = (
            Metric("accuracy", chance=chance),
            Metric("loss_right", higher_is_better=False, high=None),
            Metric("loss_wrong", higher_is_better=False, high=None),
            *(Metric(f"accuracy_{normalisation}", chance=chance) for normalisation in NORMALISATIONS),
        )

    def items(self) -> tuple[Item, ...]:
        return self._items

    def ask(self, item: Item, condition: Condition) -> ScoreAsk | MultiScoreAsk:
        """The continuations after one context, or each after its own where these differ.

        Raises:
            ItemError: a continuation cannot be had as speech.
        """
        given = self._prompt(item, condition)
        contexts = self._contexts(item, condition, given)
        continuations = self._continuations(item, condition, given)
        if all(_same(context, contexts[0]) for context in contexts):
            return ScoreAsk(contexts[0], tuple(continuations), chat=self._chat)
        return MultiScoreAsk(
            tuple(
                ScoreAsk(context, (continuation,), chat=self._chat)
                for context, continuation in zip(contexts, continuations, strict=True)
            )
        )

    def grade(self, item: Item, condition: Condition, answer: Answer) -> Grade | Failure:
        """Accuracy by the chosen normalisation, and by every other that the answer allows.

        Failures: ``missing_loss`` (imported results without the right continuation's, or with no other's),
        and those of `LossRule.losses`.
        """
        if not isinstance(answer, ScoreAnswer):
            return Failure("wrong_answer_shape", f"scores were asked, got {type(answer).__name__}")
        missing = [place for place, score in enumerate(answer.scores) if score == NO_LOSS]
        if item.data["right"] in missing or len(missing) > len(answer.scores) - 2:
            return Failure("missing_loss", _told(item, missing))
        verdict = self._verdict(item, condition, answer, self._normalisation, missing)
        if isinstance(verdict, Failure):
            return verdict
        values = {
            "accuracy": mean(verdict.credits),
            "loss_right": verdict.right,
            "loss_wrong": mean(verdict.wrong),
        }
        for normalisation in NORMALISATIONS:
            other = self._verdict(item, condition, answer, normalisation, missing)
            if isinstance(other, Verdict):
                values[f"accuracy_{normalisation}"] = mean(other.credits)
        details = {
            "loss_right": verdict.right,
            "loss_wrong": list(verdict.wrong),
            "margin": min(verdict.wrong) - verdict.right,
        }
        if missing:
            details["missing"] = _told(item, missing)
        return Grade(values, weight=len(verdict.credits), tie=verdict.tie, details=details)

    def _load(self, setup: Setup, subset: str, pairing: Pairing, subjects: str) -> list[Loaded]:
        folder = setup.files()
        if (folder / MANIFEST).exists():
            manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            verify_files(folder, manifest["files"])
        wanted = {subset: self.subsets[subset]} if subset else self.subsets
        check_records(folder, wanted)
        of = read_subjects(subjects) if subjects else None
        return [Source(name, one, folder, pairing, of).load() for name, one in wanted.items()]

    def _conditions(self) -> tuple[tuple[Condition, ...], tuple[str, ...]]:
        """Those the data allow, and why not the others, if some of the recordings are there."""
        recordings = [path for item in self._items for path in item.data["recordings"]]
        there = sum(path is not None for path in recordings)
        if self._speaker is not None or (recordings and there == len(recordings)):
            return (*TEXT_FOLLOWS, *SPEECH_FOLLOWS), ()
        if not there:
            return TEXT_FOLLOWS, ()
        told = (
            f"t2s and s2s are not offered: {len(recordings) - there} of {len(recordings)} continuations "
            "have no recording, and no voice is set to speak them."
        )
        return TEXT_FOLLOWS, (told,)

    def _prompt(self, item: Item, condition: Condition) -> Prompt:
        language = item.data["language"] if self._prompt_lang == "per_dataset" else LAST_LISTED
        return prompt(language, condition, self._prompt_style)

    def _contexts(self, item: Item, condition: Condition, given: Prompt) -> list[Dialogue]:
        if not condition.speech_in:
            # Prefix and text are one string: split, their tokens would be those of neither mode.
            return [raw(given.prefix + first) for first in item.data["firsts"]]
        clips: list[AudioClip] = item.data["clips"]
        if self._context_audio == "positive":
            clips = [clips[item.data["right"]]] * len(clips)
        return [raw(given.prefix, clip) for clip in clips]

    def _continuations(self, item: Item, condition: Condition, given: Prompt) -> list[Part]:
        texts: list[str] = item.data["continuations"]
        if not condition.speech_out:
            return [given.space + text for text in texts]
        recordings: list[str | None] = item.data["recordings"]
        language: Language = item.data["language"]
        return [self._spoken(text, path, language) for text, path in zip(texts, recordings, strict=True)]

    def _spoken(self, text: str, recording: str | None, language: Language) -> AudioClip:
        if recording is not None:
            return AudioClip.from_file(recording, transcript=text, language=language)
        if self._speaker is None:
            raise ItemError("no_recording", f"{text!r} is there as text only; set a voice: --set voice=NAME")
        return self._speaker.speak(text, language)

    def _verdict(
        self,
        item: Item,
        condition: Condition,
        answer: ScoreAnswer,
        normalisation: Normalisation,
        missing: Sequence[int],
    ) -> Verdict | Failure:
        data = item.data
        losses = self._rule.losses(answer, data["continuations"], normalisation, condition)
        if isinstance(losses, Failure):
            return losses
        wrong = [loss for i, loss in enumerate(losses) if i != data["right"] and i not in missing]
        metric = self._cmmlu_metric if data["kind"] == "choices" else "pairwise"
        return judge(losses[data["right"]], wrong, data["kind"], self._ties, metric)

    def _chance_of(self, item: Item) -> float:
        """One half of every comparison; a choice of four is one comparison that a quarter wins."""
        four_way = self._cmmlu_metric == "four_way" and item.data["kind"] == "choices"
        return 1 / len(item.data["continuations"]) if four_way else 0.5


class S2SBenchMini(S2SBench):
    """The same on our own stories and questions. Twins share their endings and are one cluster."""

    subsets = MINI


def _same(one: Dialogue, two: Dialogue) -> bool:
    """Whether two contexts are the same text or the same file."""
    keys = [
        [part.data if isinstance(part, AudioClip) else part for part in dialogue[0].parts]
        for dialogue in (one, two)
    ]
    return keys[0] == keys[1]


def _told(item: Item, missing: Sequence[int]) -> str:
    names = [item.data["keys"][place] or f"uttid {item.data['uttids'][place]}" for place in missing]
    return f"no loss of {', '.join(names)}"
