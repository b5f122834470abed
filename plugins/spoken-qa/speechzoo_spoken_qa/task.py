"""The tasks of this package: spoken questions, answered in text or speech, and graded by rule or judge."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, cast

from speechzoo import (
    Answer,
    AudioClip,
    Condition,
    Failure,
    Grade,
    Item,
    ItemError,
    Judge,
    JudgeAsk,
    Metric,
    ReplyAnswer,
    ReplyAsk,
    ScoreAnswer,
    ScoreAsk,
    Setup,
    SpeechzooError,
    Transcriber,
    raw,
    system,
    user,
)
from speechzoo.dialogue import Part
from speechzoo.wer import word_error_rate

from speechzoo_spoken_qa.data_sets import BENCHMARKS, read_benchmark
from speechzoo_spoken_qa.golds import LETTERS
from speechzoo_spoken_qa.grading import (
    GRADINGS,
    JUDGE_FAILED,
    SCORE,
    SECOND,
    SECOND_FAILED,
    by_rules,
    metrics_of,
)
from speechzoo_spoken_qa.judging import by_judge, judge_asks
from speechzoo_spoken_qa.matching import has_words
from speechzoo_spoken_qa.questions import Loaded, Question
from speechzoo_spoken_qa.spoken_items import Flagged, read_items

HEARD = (Condition.S2T, Condition.S2S)
WRITTEN = (Condition.T2T, Condition.S2T)
ASKED_FOR_A_LETTER = "\nAnswer:"
NOT_SPOKEN = (
    "ifeval's instructions are about how a text is laid out, which nobody hears: t2s and s2s are not offered "
    "with it; the other subsets have them."
)
NOT_READ = (
    "The data do not tell the text of the questions: t2t and t2s are not offered, and no loss from reading "
    "to hearing can be measured."
)


class SpokenQA:
    """Questions asked as text and as speech, by UltraEval-Audio's protocol: the question alone.

    A text reply is graded as it is, a spoken one by what the transcriber hears in it.

    Args:
        setup: its name says which benchmark it is, its files are the data.
        subset: of the benchmark; "" for all.
        instruction: a system message before every question; "" gives none.
        max_tokens: of a reply.
        rule: whether losses are stated by the sound rule of a kind of question or by the published one.
        answers: replies are generated, or the letters of the options are scored by likelihood.
        judgements: of one reply, where a judge is asked.
        region: of the speakers of VoiceBench's sd-qa, or ``all``.
        flagged: what becomes of items whose recording a transcriber did not understand.

    Attributes:
        to_judge: only a task with questions that a judge grades has it.
        metrics: those of the questions' kind; questions of several kinds share ``score``, from 0 to 1.
        notes: what is odd about the data.

    Raises:
        SpeechzooError: the data cannot be read or hold no question to ask, letters are to be scored of
            questions without options, or the judgements of a reply cannot have a majority.
    """

    version = "3"
    to_judge: Callable[[Item, Condition, Answer], Sequence[JudgeAsk]]

    def __init__(
        self,
        setup: Setup,
        *,
        subset: str = "",
        instruction: str = "",
        max_tokens: int = 256,
        rule: Literal["sound", "published"] = "sound",
        answers: Literal["generated", "scored"] = "generated",
        judgements: int = 1,
        region: str = "usa",
        flagged: Flagged = "leave_out",
    ) -> None:
        self._setup = setup
        self._opening = (system(instruction),) if instruction else ()
        self._max_tokens = max_tokens
        self._published_first = rule == "published"
        self._scored = answers == "scored"
        self._judgements = judgements
        self._heard: dict[tuple[str, str], str | Failure] = {}
        loaded = _load(setup, subset, region, flagged)
        if not loaded.questions:
            raise SpeechzooError(f"{setup.name} has no question to ask. {' '.join(loaded.notes)}".strip())
        self._questions = {question.id: question for question in loaded.questions}
        if self._scored and (others := [q.id for q in loaded.questions if q.kind != "options"]):
            raise SpeechzooError(
                f"answers=scored: {setup.name} has questions without options, such as {others[0]}"
            )
        self._items = tuple(_items(loaded.questions))
        self.metrics = self._metrics(loaded.questions)
        self.conditions, told = _conditions(loaded.questions, self._scored)
        self.notes = (*loaded.notes, *told)
        if judged := [question for question in loaded.questions if self._is_judged(question)]:
            self.to_judge = self._to_judge
            _refuse_ties(judgements, judged)

    def items(self) -> tuple[Item, ...]:
        return self._items

    def ask(self, item: Item, condition: Condition) -> ReplyAsk | ScoreAsk:
        """The question alone; scored, what follows it is the letter of each option.

        Raises:
            ItemError: the row lacks what is to be asked.
        """
        question = self._questions[item.id]
        asked = _asked(question, condition)
        if self._scored:
            letters = LETTERS[: len(question.gold.options)]
            return ScoreAsk(
                raw(*_joined(*asked, ASKED_FOR_A_LETTER)), tuple(f" {letter}" for letter in letters)
            )
        dialogue = (*self._opening, user(*_joined(*asked)))
        return ReplyAsk(dialogue, speech=condition.speech_out, max_tokens=self._max_tokens)

    @property
    def judge(self) -> Judge:
        """Raises `SetupError` if none is set."""
        return cast(Judge, self._setup.part("judge"))

    def _to_judge(self, item: Item, condition: Condition, answer: Answer) -> Sequence[JudgeAsk]:
        """Asks about a reply, where its kind of question is judged.

        Raises:
            ItemError: the reply has no word, cannot be transcribed, or only a judge can grade it and the
                question's text is unknown.
        """
        question = self._questions[item.id]
        if not isinstance(answer, ReplyAnswer) or not self._is_judged(question):
            return ()
        said = self._said(answer, condition)
        if isinstance(said, Failure):
            raise ItemError(said.reason, said.detail)
        if not has_words(said):
            raise ItemError("empty_reply", f"there is no word in {said!r}")
        if question.text is None and not GRADINGS[question.kind].needs_judge:
            return ()
        return judge_asks(question, said, self._judgements)

    def grade(self, item: Item, condition: Condition, answer: Answer) -> Grade | Failure:
        """The reply's worth by the rules and the judge of its question, or the likeliest letter's.

        Failures: ``empty_reply``, ``unparsed``, those of the transcriber and of the judge.
        """
        question = self._questions[item.id]
        if self._scored and isinstance(answer, ScoreAnswer):
            return _likeliest(question, answer)
        if self._scored or not isinstance(answer, ReplyAnswer):
            return Failure("wrong_answer_shape", f"not asked for: {type(answer).__name__}")
        said = self._said(answer, condition)
        if isinstance(said, Failure):
            return said
        values = self._by_rules(question, said)
        if isinstance(values, Failure):
            return values
        details: dict[str, object] = {"transcript": said} if condition.speech_out else {}
        if self._is_judged(question):
            judged = by_judge(question, answer.judgements)
            if isinstance(judged, Failure):
                if not values:
                    return judged
                details["judge_failure"] = f"{judged.reason}: {judged.detail}"
            else:
                values |= judged
            if not GRADINGS[question.kind].needs_judge:
                values[JUDGE_FAILED] = float(isinstance(judged, Failure))
        if self.metrics[0].name == SCORE:
            values = {SCORE: next(iter(values.values())) / (GRADINGS[question.kind].scale or 1), **values}
        if condition.speech_out:
            values |= self._of_speech(question, answer, said)
        return Grade(values, details={**details, **_wanted(question)})

    def _is_judged(self, question: Question) -> bool:
        grading = GRADINGS[question.kind]
        return grading.needs_judge or (grading.may_be_judged and "judge" in self._setup.parts)

    def _by_rules(self, question: Question, reply: str) -> dict[str, float] | Failure:
        return by_rules(question, reply, published_first=self._published_first)

    def _said(self, answer: ReplyAnswer, condition: Condition) -> str | Failure:
        if not condition.speech_out:
            return answer.text or ""
        return self._transcript(answer.clip, "transcriber")

    def _transcript(self, clip: AudioClip | None, role: str) -> str | Failure:
        """What a clip says; each clip is heard once, as judge and rules want the same."""
        if clip is None:
            return Failure("no_speech", "a spoken reply was asked, the model gave none")
        if (role, clip.digest) not in self._heard:
            transcriber: Transcriber = self._setup.part(role)
            self._heard[role, clip.digest] = transcriber.transcribe([clip])[0]
        return self._heard[role, clip.digest]

    def _of_speech(self, question: Question, answer: ReplyAnswer, said: str) -> dict[str, float]:
        """How far the reply's text is from what is heard, and its worth to the second transcriber's ears."""
        values = {}
        if answer.text and has_words(answer.text):
            values["reply_wer"] = word_error_rate(answer.text, said)
        if SECOND in self._setup.parts and GRADINGS[question.kind].sound:
            again = self._transcript(answer.clip, SECOND)
            graded = again if isinstance(again, Failure) else self._by_rules(question, again)
            values[SECOND_FAILED] = float(isinstance(graded, Failure))
            if not isinstance(graded, Failure):
                name = next(iter(graded))
                values[f"{name}_{SECOND}"] = graded[name]
        return values

    def _metrics(self, questions: Sequence[Question]) -> tuple[Metric, ...]:
        if self._scored:
            return (Metric("scored", chance=_mean_chance(questions)),)
        return metrics_of(
            (question.kind for question in questions),
            published_first=self._published_first,
            judged="judge" in self._setup.parts,
            second=SECOND in self._setup.parts,
        )


def _refuse_ties(judgements: int, judged: Sequence[Question]) -> None:
    if judgements < 1:
        raise SpeechzooError(f"judgements={judgements}: a judged reply takes one or more")
    if judgements % 2 == 0 and any(not GRADINGS[question.kind].scale for question in judged):
        raise SpeechzooError(f"judgements={judgements}: right or wrong is for the majority, of an odd number")


def _load(setup: Setup, subset: str, region: str, flagged: Flagged) -> Loaded:
    name, folder = setup.name.partition("/")[0], setup.files()
    if name in BENCHMARKS:
        return read_benchmark(name, folder, subset, region)
    return read_items(folder, flagged)


def _items(questions: Sequence[Question]) -> Iterator[Item]:
    """One for each question; those of one text are a cluster, whoever speaks them."""
    times = Counter(question.text for question in questions)
    for question in questions:
        yield Item(
            id=question.id,
            data={
                "question": question.text,
                "clip": question.clip,
                "answers": list(question.gold.answers),
                "options": list(question.gold.options),
            },
            attributes=question.attributes,
            cluster=question.text if question.text and times[question.text] > 1 else None,
            chance=question.chance,
        )


def _conditions(questions: Sequence[Question], scored: bool) -> tuple[tuple[Condition, ...], tuple[str, ...]]:
    """Those the data allow, and why not the others."""
    laid_out = any(question.kind == "instructions" for question in questions)
    offered = WRITTEN if scored or laid_out else tuple(Condition)
    told = (NOT_SPOKEN,) if laid_out else ()
    if questions and all(question.text is None for question in questions):
        return tuple(condition for condition in offered if condition in HEARD), (*told, NOT_READ)
    return offered, told


def _asked(question: Question, condition: Condition) -> tuple[Part, Part]:
    """The question and what stands after it in all arms."""
    if condition.speech_in:
        if question.clip is None:
            raise ItemError("no_audio", f"{question.id}: the row has no audio")
        return question.clip, question.after
    if question.text is None:
        raise ItemError("no_text", f"{question.id}: the row does not tell the question's text")
    return question.text, question.after


def _joined(*parts: Part) -> tuple[Part, ...]:
    """Neighbouring texts as one: split, their tokens could be others."""
    joined: list[Part] = []
    for part in parts:
        if joined and isinstance(part, str) and isinstance(joined[-1], str):
            joined[-1] += part
        elif part != "":
            joined.append(part)
    return tuple(joined)


def _likeliest(question: Question, answer: ScoreAnswer) -> Grade:
    """Whether the right option's letter is the likeliest; letters that tie share what it is worth."""
    sums = [score.log_likelihood for score in answer.scores]
    best = [place for place, value in enumerate(sums) if value == max(sums)]
    worth = 1 / len(best) if question.gold.correct in best else 0.0
    details = {"likeliest": [LETTERS[place] for place in best], "log_likelihoods": sums, **_wanted(question)}
    return Grade({"scored": worth}, tie=len(best) > 1, details=details)


def _mean_chance(questions: Sequence[Question]) -> float | None:
    chances = [question.chance for question in questions if question.chance is not None]
    return sum(chances) / len(chances) if chances else None


def _wanted(question: Question) -> dict[str, object]:
    """What would have been right, for whoever reads the report."""
    gold = question.gold
    if gold.correct is not None:
        return {"right": f"{LETTERS[gold.correct]}. {gold.options[gold.correct]}".strip(". ")}
    return {"answers": list(gold.answers)} if gold.answers else {}
