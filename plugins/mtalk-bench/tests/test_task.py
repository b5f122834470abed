"""The task: what is asked, what a judge is given, and what its verdicts are worth."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from speechzoo import (
    AudioClip,
    Condition,
    DialogueAnswer,
    Failure,
    Grade,
    Item,
    ItemError,
    JudgeAsk,
    Judgement,
    ReplyAnswer,
)
from speechzoo.audio import silence
from speechzoo.judging import read_form
from speechzoo.run.judge import JudgementFile
from speechzoo.task import is_judged
from speechzoo_arena.material import NO_REPLY, exchanges_of

from speechzoo_mtalk_bench.task import MTalkBench

Make = Callable[..., Any]
IDS = ("criteria_s_1", "criteria_s_2", "criteria_d_1")


class Opinion:
    """A judge that says what a function says of an ask, and remembers what it was asked."""

    def __init__(
        self, says: Callable[[JudgeAsk], str], hears: bool = False, longest_seconds: float | None = None
    ) -> None:
        self.hears, self.longest_seconds, self._says = hears, longest_seconds, says
        self.asks: list[JudgeAsk] = []

    def judge(self, asks: Sequence[JudgeAsk]) -> list[Judgement | Failure]:
        self.asks += asks
        return [self._judged(ask, self._says(ask)) for ask in asks]

    def close(self) -> None: ...

    def _judged(self, ask: JudgeAsk, raw: str) -> Judgement:
        try:
            return Judgement(read_form(raw, ask.form), raw)
        except ValueError:
            return Judgement(None, raw)


def all_true(ask: JudgeAsk) -> str:
    return json.dumps({name: True for name in ask.form.model_fields if name != "reason"})


@pytest.fixture
def spoken(tone: Make) -> Callable[[float], ReplyAnswer]:
    return lambda seconds: ReplyAnswer("My own text.", AudioClip.from_bytes(tone(seconds, 1)))


@pytest.fixture
def judged(folder: Path, setup_of: Make, tmp_path: Path) -> Make:
    """Grades an answer to a dialogue as the runner does: the judge's sayings are kept in a file."""

    def grade(judge: Opinion, item_id: str, *replies: ReplyAnswer | Failure, **options: Any) -> Any:
        task = MTalkBench(setup_of(folder, judge), **options)
        item = named(task.items(), item_id)
        answer = DialogueAnswer(replies)
        asks = task.to_judge(item, Condition.S2S, answer)
        with JudgementFile(tmp_path / "judgements.jsonl", judge, {}) as file:
            told = file.ask(asks)
        return task.grade(item, Condition.S2S, DialogueAnswer(replies, judgements=tuple(told)))

    return grade


def named(items: Sequence[Item], item_id: str) -> Item:
    return next(item for item in items if item.id == item_id)


@pytest.mark.parametrize("condition", list(Condition))
def test_every_condition_asks_all_turns_in_its_modality(
    folder: Path, setup_of: Make, condition: Condition
) -> None:
    """Otherwise an arm of the comparison is not what it is called."""
    task = MTalkBench(setup_of(folder), history="speech", max_tokens=99, system_prompt="Be kind.")
    ask = task.ask(named(task.items(), "semantic-1-2"), condition)
    assert [bool(turn.clips) for turn in ask.turns] == [condition.speech_in] * 3
    assert (ask.speech, ask.history, ask.max_tokens) == (condition.speech_out, "speech", 99)
    assert [message.text for message in ask.opening] == ["Be kind."]
    assert MTalkBench(setup_of(folder)).ask(task.items()[0], condition).opening == ()


def test_without_a_judge_replies_are_kept_and_not_judged(folder: Path, setup_of: Make) -> None:
    """Otherwise nobody can collect replies for an arena, or a score appears out of nowhere."""
    task = MTalkBench(setup_of(folder))
    assert not is_judged(task)
    outcome = task.grade(task.items()[0], Condition.S2T, DialogueAnswer((ReplyAnswer("Hm."),)))
    assert isinstance(outcome, Failure) and outcome.reason == "not_judged"
    assert "--set task.judge=" in outcome.detail


def test_two_asks_a_dialogue_with_the_datas_prompts(judged: Make, spoken: Make) -> None:
    """Otherwise the judge is asked for other criteria than the benchmark's."""
    judge = Opinion(all_true)
    judged(judge, "semantic-1-1", spoken(0.5))
    general, specific = judge.asks
    assert general.instruction.startswith("criteria_s_1: they answer.")
    assert set(general.form.model_fields) == {"reason", "criteria_s_1", "criteria_s_2"}
    assert specific.instruction.startswith("criteria_d_1: the reply names 1-1.")
    assert set(specific.form.model_fields) == {"reason", "criteria_d_1"}
    assert general.material == specific.material


def test_a_judge_that_hears_is_given_one_clip(judged: Make, spoken: Make) -> None:
    """Otherwise the benchmark's judges get other material than in the benchmark."""
    judge = Opinion(all_true, hears=True)
    judged(judge, "paralinguistic-1-1", spoken(0.5))
    (clip,) = judge.asks[0].material
    assert isinstance(clip, AudioClip) and clip.header.rate == 24_000


def test_a_judge_that_reads_is_given_the_cues_and_what_was_heard(judged: Make, spoken: Make) -> None:
    """Otherwise a reply is judged by a text that was never said."""
    judge = Opinion(all_true)
    judged(judge, "paralinguistic-1-1", spoken(0.7))
    (text,) = judge.asks[0].material
    assert isinstance(text, str)
    # A quote breaks up brackets by spaces of no width.
    text = text.replace("\N{ZERO WIDTH SPACE}", "")
    assert "[whispering] Hello there." in text and "heard 7 tenths" in text and "My own text." not in text


def test_satisfied_is_the_share_of_all_criteria(judged: Make, spoken: Make) -> None:
    """Otherwise the score is not the one that is published."""

    def says(ask: JudgeAsk) -> str:
        return json.dumps({name: name != "criteria_s_2" for name in ask.form.model_fields} | {"reason": "so"})

    grade = judged(Opinion(says), "semantic-1-1", spoken(0.5))
    assert isinstance(grade, Grade)
    assert grade.values["satisfied"] == pytest.approx(2 / 3) and grade.weight == 1
    assert grade.details["verdicts"] == dict(zip(IDS, (1.0, 0.0, 1.0), strict=True))
    assert grade.details["reasons"] == ["so", "so"]
    heavy = judged(Opinion(says), "semantic-1-1", spoken(0.5), rubric_average="criteria")
    assert heavy.weight == 3


def test_a_verdict_that_is_missing_is_counted_and_no_zero(judged: Make, spoken: Make) -> None:
    """Otherwise a sloppy judge lowers every score."""

    def says(ask: JudgeAsk) -> str:
        return '{"criteria_s_1": true, "criteria_s_7": true, "criteria_d_1": "perhaps", "criteria_d_2": 1}'

    outcome = judged(Opinion(says), "semantic-1-1", spoken(0.5))
    assert isinstance(outcome, Failure) and outcome.reason == "judge_error"  # of the specific: nothing at all

    def forgets(ask: JudgeAsk) -> str:
        return '{"criteria_s_1": true, "criteria_s_7": true, "criteria_d_1": false}'

    grade = judged(Opinion(forgets), "semantic-1-1", spoken(0.6))
    assert grade.values["satisfied"] == 0.5
    assert grade.details["invalid"] == [
        "criteria_s_2", "criteria_s_7", "criteria_d_1",  # of the general prompt
        "criteria_s_1", "criteria_s_7",  # of the specific
    ]  # fmt: skip
    assert grade.values["invalid_criteria"] == 5


def test_the_judges_failure_is_the_dialogues(judged: Make, spoken: Make) -> None:
    """Otherwise half of the criteria pass for all of them."""
    outcome = judged(
        Opinion(lambda ask: all_true(ask) if "criteria_s_1" in ask.form.model_fields else "No idea."),
        "semantic-1-1",
        spoken(0.5),
    )
    assert isinstance(outcome, Failure) and outcome.reason == "judge_error"


def test_measures_by_hand(judged: Make, spoken: Make) -> None:
    """Otherwise coverage, lengths and densities are of something else."""
    replies = (spoken(0.5), Failure("no_speech"), spoken(1.5))
    grade = judged(Opinion(all_true), "semantic-1-2", *replies)
    # Heard: "heard 5 tenths", "heard 15 tenths": three words in each, all distinct content words.
    assert grade.values["answered"] == pytest.approx(2 / 3)
    assert grade.values["reply_seconds"] == pytest.approx(1.0)
    assert grade.values["words_per_second"] == pytest.approx(3.0)
    assert grade.values["content_density"] == 1.0
    turns = grade.details["turns"]
    assert [turn["answered"] for turn in turns] == [True, False, True]
    assert turns[2]["words_per_second"] == pytest.approx(2.0) and "seconds" not in turns[1]


def test_each_turn_has_its_measures_and_a_failed_one_has_none(judged: Make, spoken: Make) -> None:
    """Otherwise the report's second turn is the third of some dialogues, or the whole dialogue's score."""
    grade = judged(
        Opinion(all_true), "semantic-1-2", spoken(0.5), Failure("no_speech"), ReplyAnswer("Oh, no.")
    )
    first = {"words": 3, "seconds": 0.5, "words_per_second": 6.0, "content_density": 1.0}
    assert grade.by_turn == [first, {}, {"words": 2}], "without content words there is no density"


def test_a_dialogue_of_one_turn_counts_among_those_judged_by_turn(judged: Make, spoken: Make) -> None:
    """Otherwise the mean of first turns leaves the shortest dialogues out."""
    whole = judged(Opinion(all_true), "semantic-1-1", spoken(0.5))
    assert "satisfied" not in whole.by_turn[0]
    by_turn = judged(Opinion(all_true), "semantic-1-1", spoken(0.5), per_turn=True)
    assert by_turn.by_turn[0]["satisfied"] == 1.0
    assert by_turn.details["verdicts_by_turn"] == [dict.fromkeys(IDS, 1.0)]


def test_a_blank_reply_is_none(judged: Make, spoken: Make) -> None:
    """Otherwise a model that says nothing has answered, and is judged for its silence."""
    grade = judged(
        Opinion(all_true), "semantic-1-2", ReplyAnswer("Yes."), ReplyAnswer(" \n"), ReplyAnswer("")
    )
    assert grade.values["answered"] == pytest.approx(1 / 3)
    assert [turn["answered"] for turn in grade.details["turns"]] == [True, False, False]
    with pytest.raises(ItemError, match=r"no_reply.*nothing is said in any reply to semantic-1-1"):
        judged(Opinion(all_true), "semantic-1-1", ReplyAnswer(" "))


@pytest.mark.parametrize("hears", [True, False])
def test_a_silent_clip_is_no_reply_either(judged: Make, spoken: Make, hears: bool) -> None:
    """Otherwise silence drops out where a model writes and counts where it speaks: a loss by speaking."""
    silent = ReplyAnswer("", silence(0.5, 24_000))
    grade = judged(Opinion(all_true, hears), "semantic-1-2", spoken(0.5), silent, spoken(0.7))
    assert grade.values["answered"] == pytest.approx(2 / 3)
    assert grade.values["reply_seconds"] == pytest.approx(0.6)
    assert grade.by_turn[1] == {}, "no words, no seconds, and none of their means"
    with pytest.raises(ItemError, match="no_reply"):
        judged(Opinion(all_true, hears), "semantic-1-1", silent)


def test_a_clip_that_nobody_transcribed_is_a_reply(folder: Path, setup_of: Make, spoken: Make) -> None:
    """Otherwise judges that hear are told of no reply by a model that gives no text beside its speech."""
    (item,) = [own for own in MTalkBench(setup_of(folder)).items() if own.id == "semantic-1-1"]
    for text in (None, "", " "):
        answer = DialogueAnswer((replace(spoken(0.5), text=text),))
        (exchange,) = exchanges_of(item, answer, None)
        assert exchange.answered and exchange.reply_text is None


def test_a_judge_that_reads_is_told_of_silence_as_of_no_reply(judged: Make, spoken: Make) -> None:
    """Otherwise an empty quote is judged as a reply, by a judge that was told of none elsewhere."""
    judge = Opinion(all_true)
    silent = ReplyAnswer("My own text.", silence(0.5, 24_000))
    judged(judge, "semantic-1-2", spoken(0.5), silent, Failure("no_speech"))
    (text,) = judge.asks[0].material
    assert text.count(NO_REPLY) == 2


def test_written_replies_have_no_length_in_seconds(judged: Make) -> None:
    """Otherwise arms that write are compared with arms that speak by a number that they lack."""
    grade = judged(Opinion(all_true), "semantic-1-1", ReplyAnswer("A dog and a dog."))
    assert {"reply_seconds", "words_per_second"}.isdisjoint(grade.values)
    assert grade.values["content_density"] == 0.5


def test_turn_by_turn_gives_a_trend(judged: Make, spoken: Make) -> None:
    """Otherwise nobody sees that a model gets worse the longer one talks with it."""

    def says(ask: JudgeAsk) -> str:
        later = any("Earlier turns" in part for part in ask.material if isinstance(part, str))
        return json.dumps({name: not later for name in ask.form.model_fields if name != "reason"})

    judge = Opinion(says)
    replies = (spoken(0.5), spoken(0.6), spoken(0.7))
    grade = judged(judge, "semantic-1-2", *replies, per_turn=True)
    assert len(judge.asks) == 6
    assert [turn["satisfied"] for turn in grade.by_turn] == [1.0, 0.0, 0.0]
    assert len(grade.details["verdicts_by_turn"]) == 3
    assert grade.values["satisfied"] == pytest.approx(1 / 3)


def test_a_dialogue_too_long_for_the_judge_is_not_judged_in_another_way(judged: Make, spoken: Make) -> None:
    """Otherwise what is long only where the model speaks is judged by turn there, and whole elsewhere."""
    replies = (spoken(0.5), spoken(0.5), spoken(0.5))
    short = Opinion(all_true, hears=True, longest_seconds=10.0)
    with pytest.raises(ItemError, match=r"too_long_for_judge.*the dialogue takes \d+ s.*10 s.*per_turn=true"):
        judged(short, "semantic-1-2", *replies)
    grade = judged(short, "semantic-1-2", *replies, per_turn=True)
    assert [turn["satisfied"] for turn in grade.by_turn] == [1.0, 1.0, 1.0]
    shorter = Opinion(all_true, hears=True, longest_seconds=5.0)
    with pytest.raises(ItemError, match=r"too_long_for_judge.*turn 1 takes 7 s, the judge hears 5 s"):
        judged(shorter, "semantic-1-2", *replies, per_turn=True)


@pytest.mark.parametrize(
    ("item", "hears", "marked"),
    [
        ("paralinguistic-1-1", False, True),
        ("paralinguistic-1-1", True, False),
        ("semantic-1-1", False, False),
    ],
)
def test_what_was_judged_from_text_alone_is_marked(
    judged: Make, spoken: Make, item: str, hears: bool, marked: bool
) -> None:
    """Otherwise a verdict on a tone of voice looks as good as any, though nobody heard it."""
    grade = judged(Opinion(all_true, hears), item, spoken(0.5))
    assert ("from_text_alone" in grade.details) == marked


def test_notes_tell_how_scores_were_made(folder: Path, setup_of: Make) -> None:
    """Otherwise two reports are compared that were averaged in two ways."""
    notes = "\n".join(MTalkBench(setup_of(folder, Opinion(all_true)), cues="none", history="speech").notes)
    for told in ("averaged over dialogues", "cues are seen by no judge", "as speech", "from_text_alone"):
        assert told in notes
    semantic = MTalkBench(
        setup_of(folder, Opinion(all_true)), subset="semantic", rubric_average="criteria"
    ).notes
    assert "averaged over criteria" in "\n".join(semantic) and "from_text_alone" not in "\n".join(semantic)


def test_a_dialogue_without_criteria_is_named(
    tmp_path: Path, cache: Path, row: Make, write_parquet: Make, setup_of: Make, spoken: Make
) -> None:
    """Otherwise dialogues drop out of the score without a word."""
    folder = write_parquet(tmp_path / "d", [row("sem", "1-1", 1, "Hi.", rubric_prompt_specific="")])
    task = MTalkBench(setup_of(folder, Opinion(all_true)))
    with pytest.raises(ItemError, match=r"no_rubric.*rubric_prompt_specific for semantic-1-1"):
        task.to_judge(task.items()[0], Condition.S2S, DialogueAnswer((spoken(0.5),)))
