"""The tasks ``mtalk-bench`` and ``mtalk-mini``: dialogues of several turns, judged by criteria."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any, Literal, cast

from speechzoo import (
    Answer,
    Condition,
    DialogueAnswer,
    DialogueAsk,
    Failure,
    Grade,
    Item,
    ItemError,
    Judge,
    JudgeAsk,
    Metric,
    Setup,
    system,
    user,
)
from speechzoo.audio import MAX_SECONDS
from speechzoo_arena.material import (
    Cues,
    Exchange,
    Listener,
    Material,
    dialogue_material,
    exchanges_of,
    turn_material,
)

from speechzoo_mtalk_bench.dialogues import Replies, make_dialogues, read_capabilities
from speechzoo_mtalk_bench.manifest import verified_rows
from speechzoo_mtalk_bench.rows import SUBSETS, read_rows
from speechzoo_mtalk_bench.rubric import Verdicts, criteria_of, instruction, read_verdicts, rubric_form
from speechzoo_mtalk_bench.words import content_density, words_in

CAPABILITIES = "capabilities.jsonl"
RUBRICS = ("rubric_prompt_general", "rubric_prompt_specific")
NOT_HEARD = ("paralinguistic", "ambient")
OF_A_TURN = ("words", "seconds", "words_per_second", "content_density")
CHOOSE_A_JUDGE = (
    "no judge is set: --set task.judge=NAME, such as local-judge, which is small and reads; "
    "'speechzoo list' names others"
)
FROM_TEXT_ALONE = (
    "A judge that does not hear, such as local-judge, decides paralinguistic and ambient criteria from "
    "transcripts: each such grade is marked from_text_alone."
)


class MTalkBench:
    """MTalk-Bench (arXiv:2508.18240): what a model replies to a user over several turns.

    One item is a dialogue. The user's turns are fixed; each reply joins the history before the next. A turn
    without a reply stays in the dialogue as silence. The text arms are given the spoken words without the
    bracketed cues.

    A spoken reply in which the transcriber hears no word is no reply, as a blank text is none.

    Args:
        setup: its files are the data.
        subset: ``semantic``, ``paralinguistic``, ``ambient`` or "" for all.
        history: how the model's own replies stand before its next.
        max_tokens: of a reply.
        system_prompt: before the first turn; "" gives none.
        cues: which judges are told the transcription's bracketed cues.
        rubric_average: over dialogues, or over criteria: a dialogue then weighs as many as were judged.
        per_turn: each turn is judged by itself, and ``satisfied`` is told by turn.
        capabilities: JSON Lines that say what each dialogue tests.

    Attributes:
        to_judge: two asks a dialogue, or a turn: for general and for specific criteria. Only a task with the
            part ``judge`` has it.
        notes: counts as found, and what a reader of the report must know.
        replies: of systems that the data hold replies of.

    Raises:
        SpeechzooError: the data cannot be read.
    """

    version = "4"
    conditions = (Condition.T2T, Condition.S2T, Condition.T2S, Condition.S2S)
    metrics = (
        Metric("satisfied"),
        Metric("answered"),
        Metric("reply_seconds", higher_is_better=None, high=None),
        Metric("words_per_second", higher_is_better=None, high=None),
        Metric("content_density", higher_is_better=None),
        Metric("invalid_criteria", higher_is_better=False, high=None),
    )

    to_judge: Callable[[Item, Condition, Answer], Sequence[JudgeAsk]]

    def __init__(
        self,
        setup: Setup,
        *,
        subset: str = "",
        history: Literal["text", "speech"] = "text",
        max_tokens: int = 256,
        system_prompt: str = "",
        cues: Cues = "text",
        rubric_average: Literal["dialogues", "criteria"] = "dialogues",
        per_turn: bool = False,
        capabilities: str = "",
    ) -> None:
        self._setup = setup
        self._history = history
        self._max_tokens = max_tokens
        self._opening = (system(system_prompt),) if system_prompt else ()
        self._cues = cues
        self._by_criteria = rubric_average == "criteria"
        self._per_turn = per_turn
        self._listener = Listener(lambda: setup.part("transcriber"))
        self._is_judged = "judge" in setup.parts
        if self._is_judged:
            self.to_judge = self._to_judge
        folder = setup.files()
        types = [kind for kind, name in SUBSETS.items() if subset in ("", name)]
        own = folder / CAPABILITIES
        file = Path(capabilities) if capabilities else own if own.exists() else None
        rows = verified_rows(folder, read_rows(folder, types))
        loaded = make_dialogues(rows, read_capabilities(file) if file else None)
        self._items = loaded.items
        self.replies: Mapping[str, Replies] = loaded.replies
        self.notes: tuple[str, ...] = (*loaded.notes, *self._remarks())

    def items(self) -> tuple[Item, ...]:
        return self._items

    def ask(self, item: Item, condition: Condition) -> DialogueAsk:
        """The user's turns as clips, or their words.

        Raises:
            ItemError: a turn has no words, and words are wanted.
        """
        clips = item.data["turns"]
        if not condition.speech_in and not all(clip.transcript for clip in clips):
            raise ItemError("no_words", f"a turn of {item.id} consists of sounds alone and cannot be read")
        return DialogueAsk(
            turns=tuple(user(clip if condition.speech_in else clip.transcript) for clip in clips),
            opening=self._opening,
            speech=condition.speech_out,
            max_tokens=self._max_tokens,
            history=self._history,
        )

    @property
    def judge(self) -> Judge:
        """Raises `SetupError` if none is set."""
        return cast(Judge, self._setup.part("judge"))

    def _to_judge(self, item: Item, condition: Condition, answer: Answer) -> list[JudgeAsk]:
        """The criteria of both prompts with the dialogue, or turn by turn.

        Raises:
            ItemError: nothing is said in any reply, there are no criteria, a clip cannot be read, a reply
                cannot be transcribed, or what is to be judged is longer than the judge can hear.
        """
        if not isinstance(answer, DialogueAnswer):
            return []
        exchanges = exchanges_of(item, answer, self._listener, self._cues)
        if not any(exchange.answered for exchange in exchanges):
            raise ItemError("no_reply", f"nothing is said in any reply to {item.id}")
        prompts = [(prompt, criteria_of(prompt)) for prompt in self._prompts(item)]
        return [
            JudgeAsk(instruction(prompt, ids), parts, rubric_form(ids))
            for parts in (material.parts() for material in self._materials(exchanges))
            for prompt, ids in prompts
        ]

    def grade(self, item: Item, condition: Condition, answer: Answer) -> Grade | Failure:
        """The share of satisfied criteria among those that the judge gave a verdict on.

        Failures: ``not_judged`` without a judge, and that of the first judgement that could not be had.
        """
        if not isinstance(answer, DialogueAnswer):
            return Failure("wrong_answer_shape", f"a dialogue was asked, got {type(answer).__name__}")
        if not answer.judgements:
            return Failure("not_judged", "the judge was not asked" if self._is_judged else CHOOSE_A_JUDGE)
        told: list[Verdicts] = []
        ids = [criteria_of(prompt) for prompt in self._prompts(item)]
        for place, judgement in enumerate(answer.judgements):
            if isinstance(judgement, Failure):
                return judgement
            told.append(read_verdicts(ids[place % len(ids)], judgement.answer or {}))
        valid = [verdict for one in told for verdict in one.valid.values()]
        invalid = [name for one in told for name in one.invalid]
        turns = [_measured(one) for one in exchanges_of(item, answer, self._listener, self._cues)]
        verdicts = [_verdicts(told[start : start + len(ids)]) for start in range(0, len(told), len(ids))]
        values = {
            "satisfied": mean(valid),
            "invalid_criteria": len(invalid),
            "answered": mean(turn["answered"] for turn in turns),
            **_means(turns),
        }
        reasons = [one.reason for one in told if one.reason]
        details = {**self._judged(item, verdicts), "reasons": reasons, "invalid": invalid, "turns": turns}
        return Grade(
            values,
            weight=len(valid) if self._by_criteria else 1.0,
            details=details,
            by_turn=_by_turn(turns, verdicts if self._per_turn else [{}] * len(turns)),
        )

    def _prompts(self, item: Item) -> list[str]:
        if lacking := [name for name in RUBRICS if not item.data[name]]:
            raise ItemError("no_rubric", f"the data have no {' and no '.join(lacking)} for {item.id}")
        return [item.data[name] for name in RUBRICS]

    def _materials(self, exchanges: Sequence[Exchange]) -> list[Material]:
        """The dialogue, or its turns one by one."""
        hears = self.judge.hears
        limit = min(self.judge.longest_seconds or MAX_SECONDS, MAX_SECONDS)
        if not self._per_turn:
            whole = dialogue_material(exchanges, hears=hears)
            _refuse_longer(whole, limit, "the dialogue", "; task.per_turn=true judges each turn by itself")
            return [whole]
        turns = [turn_material(exchanges, turn, hears=hears) for turn in range(len(exchanges))]
        for number, turn in enumerate(turns, start=1):
            _refuse_longer(turn, limit, f"turn {number}")
        return turns

    def _judged(self, item: Item, verdicts: Sequence[Mapping[str, float]]) -> dict[str, Any]:
        """The verdicts, a list of them where turns were judged one by one."""
        details = {"verdicts_by_turn": verdicts} if self._per_turn else {"verdicts": verdicts[0]}
        if item.attributes["subset"] in NOT_HEARD and not self.judge.hears:
            return {**details, "from_text_alone": True}
        return details

    def _remarks(self) -> Iterator[str]:
        yield f"The model's own replies stand before its next as {self._history}, where it has that."
        if not self._is_judged:
            return
        unit = "criteria: a dialogue weighs as many as were judged" if self._by_criteria else "dialogues"
        yield f"'satisfied' is the share of satisfied criteria, general and specific, averaged over {unit}."
        told = {"text": "by judges that read", "all": "by all judges", "none": "by no judge"}[self._cues]
        yield f"The transcriptions' bracketed cues are seen {told}."
        if any(item.attributes["subset"] in NOT_HEARD for item in self._items):
            yield FROM_TEXT_ALONE


def _refuse_longer(material: Material, limit: float, what: str, way_out: str = "") -> None:
    if material.seconds > limit:
        told = f"{what} takes {material.seconds:.0f} s, the judge hears {limit:.0f} s{way_out}"
        raise ItemError("too_long_for_judge", told)


def _verdicts(told: Sequence[Verdicts]) -> dict[str, float]:
    """On the criteria of all prompts, by id."""
    return {name: verdict for one in told for name, verdict in one.valid.items()}


def _measured(exchange: Exchange) -> dict[str, Any]:
    """Length and words of a turn's reply; nothing of what it lacks."""
    text = exchange.reply_text
    measured: dict[str, Any] = {"answered": exchange.answered}
    if not exchange.answered:
        return measured
    if text is not None:
        measured |= {"says": text, "words": len(words_in(text)), "content_density": content_density(text)}
    if exchange.reply is not None:
        seconds = exchange.reply.seconds
        measured |= {"seconds": seconds, "words_per_second": measured.get("words", 0) / seconds}
    return measured


def _by_turn(
    turns: Sequence[Mapping[str, Any]], verdicts: Sequence[Mapping[str, float]]
) -> list[dict[str, float]]:
    """The share of satisfied criteria of each turn that has verdicts, and what was measured of its reply."""
    return [
        ({"satisfied": mean(judged.values())} if judged else {})
        | {name: turn[name] for name in OF_A_TURN if turn.get(name) is not None}
        for turn, judged in zip(turns, verdicts, strict=True)
    ]


def _means(turns: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Over the replies that have it; words a second of all spoken replies together."""
    means = {}
    spoken = [turn for turn in turns if "seconds" in turn]
    if spoken:
        seconds = sum(turn["seconds"] for turn in spoken)
        means["reply_seconds"] = seconds / len(spoken)
        means["words_per_second"] = sum(turn["words"] for turn in spoken) / seconds
    densities = [turn["content_density"] for turn in turns if turn.get("content_density") is not None]
    if densities:
        means["content_density"] = mean(densities)
    return means
