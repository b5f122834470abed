"""The task ``spoken-qa-mini``: short questions with known answers."""

import json
from functools import cached_property

from speechzoo import (
    Answer,
    AudioClip,
    Condition,
    Failure,
    Grade,
    Item,
    Metric,
    ReplyAnswer,
    ReplyAsk,
    Setup,
    Transcriber,
    system,
    user,
)
from speechzoo.weights import verify_files
from speechzoo.wer import word_error_rate

from speechzoo_spoken_qa.matching import exist_tokens, has_words, matches, normalised_tokens
from speechzoo_spoken_qa.questions import Question, read_questions

BIN = 5


class SpokenQAMini:
    """The protocol of UltraEval-Audio, behind EchoX's published table, on our own questions.

    The model is given the question alone. A text reply is matched as it is, a spoken one by what the
    transcriber hears in it.
    """

    version = "1"
    conditions = (Condition.T2T, Condition.S2T, Condition.T2S, Condition.S2S)
    metrics = (
        # Open answers: a random one is right next to never.
        Metric("exist", chance=0.0),
        Metric("normalised", chance=0.0),
        Metric("reply_wer", higher_is_better=False, high=None),
    )

    def __init__(self, setup: Setup, *, instruction: str = "", max_tokens: int = 48) -> None:
        folder = setup.files()
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        verify_files(folder, manifest["files"])
        self._setup = setup
        self._opening = (system(instruction),) if instruction else ()
        self._max_tokens = max_tokens
        self._items = tuple(_item(question) for question in read_questions(folder))

    def items(self) -> tuple[Item, ...]:
        return self._items

    def ask(self, item: Item, condition: Condition) -> ReplyAsk:
        question = item.data["clip"] if condition.speech_in else item.data["question"]
        return ReplyAsk(
            (*self._opening, user(question)), speech=condition.speech_out, max_tokens=self._max_tokens
        )

    def grade(self, item: Item, condition: Condition, answer: Answer) -> Grade | Failure:
        if not isinstance(answer, ReplyAnswer):
            return Failure("wrong_answer_shape", f"a reply was asked, got {type(answer).__name__}")
        graded = self._heard(answer.clip) if condition.speech_out else answer.text or ""
        if isinstance(graded, Failure):
            return graded
        if not has_words(graded):
            return Failure("empty_reply", f"there is no word in {graded!r}")
        answers = item.data["answers"]
        values = {
            "exist": float(matches(graded, answers, exist_tokens)),
            "normalised": float(matches(graded, answers, normalised_tokens)),
        }
        if condition.speech_out and answer.text and has_words(answer.text):
            values["reply_wer"] = word_error_rate(answer.text, graded)
        heard = {"transcript": graded} if condition.speech_out else {}
        return Grade(values, details={**heard, "answers": answers})

    def _heard(self, clip: AudioClip | None) -> str | Failure:
        if clip is None:
            return Failure("no_speech", "a spoken reply was asked, the model gave none")
        return self._transcriber.transcribe([clip])[0]

    @cached_property
    def _transcriber(self) -> Transcriber:
        transcriber: Transcriber = self._setup.part("transcriber")
        return transcriber


def _item(question: Question) -> Item:
    return Item(
        id=question.id,
        data={
            "question": question.text,
            "clip": AudioClip.from_file(question.audio, transcript=question.text, language="en"),
            "answers": list(question.answers),
        },
        attributes={
            "topic": question.topic,
            "voice": question.voice,
            "question_words": length_bin(question.text),
        },
    )


def length_bin(text: str) -> str:
    """How many words a text has, in fives: ``5-9``."""
    low = len(text.split()) // BIN * BIN
    return f"{low}-{low + BIN - 1}"
