"""The tasks: what is asked, and what a reply is worth."""

from collections import Counter
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from speechzoo import (
    Condition,
    ContinuationScore,
    Failure,
    Grade,
    ItemError,
    ReplyAnswer,
    ScoreAnswer,
    ScoreAsk,
    SpeechzooError,
    testing,
)
from speechzoo.audio import silence
from speechzoo.catalogue import open_catalogue
from speechzoo.judging import Judgement
from speechzoo.recipe import import_target
from speechzoo.registry import read_registry, unpinned
from speechzoo.run.validate import examine
from speechzoo.task import is_judged
from speechzoo.weights import verify_files

from speechzoo_spoken_qa.data_sets import BENCHMARKS
from speechzoo_spoken_qa.grading import GRADINGS, metrics_of
from speechzoo_spoken_qa.plugin import speechzoo_registry, speechzoo_tasks
from speechzoo_spoken_qa.rules import RULES
from speechzoo_spoken_qa.task import SpokenQA

from .conftest import Ears, MakeTask, Opinion, audio, write_items, write_parquet

MINI = Path(str(files("speechzoo_spoken_qa"))) / "mini"
TREES = {"question": "What grows?", "options": ["stones", "trees", "rain"], "correct": 1}


class Silent:
    """Is told how far a validation is."""

    def stage(self, name: str, total: int, done: int) -> None: ...

    def advance(self, count: int) -> None: ...

    def say(self, line: str) -> None: ...


MakeMini = Callable[..., tuple[SpokenQA, Ears]]


@pytest.fixture
def mini(make: MakeTask) -> MakeMini:
    def made(hears: str | Failure = "", **parameters: Any) -> tuple[SpokenQA, Ears]:
        ears = Ears(hears)
        return make("spoken-qa-mini", MINI, parts={"transcriber": ears}, rule="published", **parameters), ears

    return made


def graded(task: SpokenQA, condition: Condition, answer: ReplyAnswer) -> Grade | Failure:
    capital_of_france = task.items()[0]
    return task.grade(capital_of_france, condition, answer)


def values(outcome: Grade | Failure) -> dict[str, float]:
    assert isinstance(outcome, Grade)
    return dict(outcome.values)


def reason(outcome: Grade | Failure) -> str:
    assert isinstance(outcome, Failure)
    return outcome.reason


def test_the_shipped_data_are_those_the_registry_names(mini: MakeMini) -> None:
    """Otherwise two installations could measure with different data under one name."""
    entry = read_registry(speechzoo_registry()).data["spoken-qa-mini"]
    verify_files(MINI, entry.files)
    items = mini()[0].items()
    assert len(items) == len({item.id for item in items}) == entry.expected["items"]
    assert Counter(item.attributes["voice"] for item in items) == {"joe": 46, "joe-high": 46}


def test_every_clip_decodes(mini: MakeMini) -> None:
    """Otherwise an item would fail in the middle of a run."""
    for item in mini()[0].items():
        assert 0.8 < item.data["clip"].seconds < 8


def test_the_question_is_asked_alone(mini: MakeMini) -> None:
    """Otherwise a figure could not stand beside one made by the published protocol."""
    task, _ = mini()
    item = task.items()[0]
    read, heard = task.ask(item, Condition.T2S), task.ask(item, Condition.S2T)
    assert [(m.role, m.parts) for m in read.dialogue] == [("user", ("What is the capital of France?",))]
    assert [(m.role, m.parts) for m in heard.dialogue] == [("user", (item.data["clip"],))]
    assert (read.speech, heard.speech) == (True, False)


def test_an_instruction_is_a_system_message(mini: MakeMini) -> None:
    """Otherwise the parameter would do nothing, or change the user's turn."""
    task, _ = mini(instruction="Answer briefly.", max_tokens=9)
    asked = task.ask(task.items()[0], Condition.S2S)
    assert [m.role for m in asked.dialogue] == ["system", "user"]
    assert asked.dialogue[0].text == "Answer briefly."
    assert asked.max_tokens == 9


def test_a_text_reply_is_graded_as_it_is(mini: MakeMini) -> None:
    """Otherwise a transcriber would be loaded, and its errors counted, where nothing is spoken."""
    task, ears = mini("London")
    outcome = graded(task, Condition.S2T, ReplyAnswer("It is Paris.", clip=silence(1.0)))
    assert values(outcome) == {"exist": 1.0, "normalised": 1.0}
    assert ears.loaded == 0


def test_a_spoken_reply_is_graded_by_what_is_heard(mini: MakeMini) -> None:
    """Otherwise a reply that nobody could understand would be right."""
    task, ears = mini("It is powers.")
    for _ in range(2):
        outcome = graded(task, Condition.T2S, ReplyAnswer("It is Paris.", clip=silence(1.0)))
    assert values(outcome) == {"exist": 0.0, "normalised": 0.0, "reply_wer": pytest.approx(1 / 3)}
    assert isinstance(outcome, Grade)
    assert outcome.details == {"transcript": "It is powers.", "answers": ["Paris"]}
    assert ears.loaded == 1


@pytest.mark.parametrize("own", [None, "", " ...!"])
def test_no_word_error_rate_without_a_text_of_its_own(mini: MakeMini, own: str | None) -> None:
    """Otherwise a model that speaks without writing would be charged an error rate of nothing."""
    task, _ = mini("Paris")
    outcome = graded(task, Condition.S2S, ReplyAnswer(own, clip=silence(1.0)))
    assert values(outcome) == {"exist": 1.0, "normalised": 1.0}


def test_a_reply_without_a_word_is_an_outcome_of_its_own(mini: MakeMini) -> None:
    """Otherwise a model that says nothing would look like one that is wrong."""
    task, _ = mini(" ...")
    for text in ("", " \n", "...", None):
        assert reason(graded(task, Condition.T2T, ReplyAnswer(text))) == "empty_reply"
    spoken = ReplyAnswer("Paris", clip=silence(1.0))
    assert reason(graded(task, Condition.S2S, spoken)) == "empty_reply"


def test_a_failed_transcription_is_the_items_failure(mini: MakeMini) -> None:
    """Otherwise a transcriber's fault would be counted as a wrong answer."""
    task, _ = mini(Failure("truncated_audio", "cut"))
    assert reason(graded(task, Condition.S2S, ReplyAnswer("Paris", clip=silence(1.0)))) == "truncated_audio"


def test_every_shipped_answer_answers_its_question_under_both_rules(mini: MakeMini) -> None:
    """Otherwise a right reply could be counted as wrong."""
    task, _ = mini()
    for item in task.items():
        for answer in item.data["answers"]:
            outcome = task.grade(item, Condition.T2T, ReplyAnswer(f"I think {answer}."))
            assert values(outcome) == {"exist": 1.0, "normalised": 1.0}


@pytest.mark.parametrize("rule", ["sound", "published"])
def test_both_rules_are_printed_and_one_comes_first(tmp_path: Path, make: MakeTask, rule: str) -> None:
    """Otherwise a figure cannot be compared with a published one, or counts spelling as a loss."""
    folder = write_items(tmp_path, [{"question": "How many?", "answers": ["two"]}])
    task = make("spoken-qa", folder, rule=rule)
    order = {"sound": ["normalised", "exist"], "published": ["exist", "normalised"]}[rule]
    assert [metric.name for metric in task.metrics] == [*order, "reply_wer"]
    assert values(graded(task, Condition.T2T, ReplyAnswer("There are 2."))) == {
        "normalised": 1.0,
        "exist": 0.0,
    }


def test_a_second_transcriber_gives_a_second_opinion(make: MakeTask) -> None:
    """Otherwise nobody sees how far the score of speech is the transcriber's."""
    ears = {"transcriber": Ears("It is powers."), "second_transcriber": Ears("It is Paris.")}
    task = make("spoken-qa-mini", MINI, parts=ears)
    assert "normalised_second_transcriber" in [metric.name for metric in task.metrics]
    outcome = graded(task, Condition.T2S, ReplyAnswer("It is Paris.", clip=silence(1.0)))
    told = values(outcome)
    assert (told["normalised"], told["normalised_second_transcriber"]) == (0.0, 1.0)
    read = values(graded(task, Condition.T2T, ReplyAnswer("It is Paris.")))
    assert read == {"normalised": 1.0, "exist": 1.0}


def test_a_second_transcriber_that_fails_spoils_nothing(make: MakeTask) -> None:
    """Otherwise a check costs what it was to check."""
    ears = {"transcriber": Ears("Paris"), "second_transcriber": Ears(Failure("out_of_memory", "full"))}
    outcome = graded(
        make("spoken-qa-mini", MINI, parts=ears), Condition.S2S, ReplyAnswer(None, clip=silence(1.0))
    )
    assert values(outcome) == {"normalised": 1.0, "exist": 1.0, "second_transcriber_failed": 1.0}


@pytest.mark.parametrize(("hears", "failed"), [("...", 1.0), ("No.", 0.0)])
def test_what_the_second_transcriber_cannot_hear_is_counted(
    make: MakeTask, hears: str, failed: float
) -> None:
    """Otherwise its value is over the replies that suit it, and nobody sees how many are missing."""
    ears = {"transcriber": Ears("Paris"), "second_transcriber": Ears(hears)}
    task = make("spoken-qa-mini", MINI, parts=ears)
    told = values(graded(task, Condition.S2S, ReplyAnswer(None, clip=silence(1.0))))
    assert told["second_transcriber_failed"] == failed
    assert ("normalised_second_transcriber" in told) is not bool(failed)


def test_letters_are_scored_after_the_same_question_in_both_arms(tmp_path: Path, make: MakeTask) -> None:
    """Otherwise likelihoods under text and speech are of different questions."""
    task = make("spoken-qa", write_items(tmp_path, [TREES]), answers="scored")
    (item,) = task.items()
    read, heard = task.ask(item, Condition.T2T), task.ask(item, Condition.S2T)
    after = "\nA. stones\nB. trees\nC. rain\nAnswer:"
    assert isinstance(read, ScoreAsk) and isinstance(heard, ScoreAsk)
    assert read.context[0].parts == (f"What grows?{after}",)
    assert heard.context[0].parts == (item.data["clip"], after)
    assert read.continuations == heard.continuations == (" A", " B", " C")
    assert task.conditions == (Condition.T2T, Condition.S2T)
    assert [(metric.name, metric.chance) for metric in task.metrics] == [("scored", pytest.approx(1 / 3))]


@pytest.mark.parametrize(
    ("sums", "worth", "tie"),
    [
        ((-3, -1, -2), 1.0, False),
        ((-1, -3, -2), 0.0, False),
        ((-1, -1, -2), 0.5, True),
        ((-1, -1, -1), 1 / 3, True),
    ],
)
def test_the_likeliest_letter_counts_and_ties_share(
    tmp_path: Path, make: MakeTask, sums: tuple[float, ...], worth: float, tie: bool
) -> None:
    """Otherwise a model that cannot tell the options apart is always right, or always wrong."""
    task = make("spoken-qa", write_items(tmp_path, [TREES]), answers="scored")
    answer = ScoreAnswer(tuple(ContinuationScore(float(one), 1) for one in sums))
    grade = task.grade(task.items()[0], Condition.T2T, answer)
    assert isinstance(grade, Grade)
    assert (grade.values, grade.tie) == ({"scored": pytest.approx(worth)}, tie)
    assert grade.details["right"] == "B. trees"


def test_only_options_can_be_scored(make: MakeTask) -> None:
    """Otherwise a run ends in failures after hours of computing."""
    with pytest.raises(SpeechzooError, match="questions without options, such as q000"):
        make("spoken-qa-mini", MINI, answers="scored")


def alpaca(folder: Path) -> Path:
    rows = [
        {"instruction": "Tell me a joke.", "output": "No.", "audio": audio(number)} for number in range(2)
    ]
    write_parquet(folder / "data/test-00000-of-00001.parquet", rows)
    return folder


def judged(task: SpokenQA, condition: Condition, answer: ReplyAnswer) -> Grade | Failure:
    """As the runner does it."""
    asks = task.to_judge(task.items()[0], condition, answer)
    told = task.judge.judge(asks)
    return graded(task, condition, ReplyAnswer(answer.text, answer.clip, judgements=tuple(told)))


def test_a_judge_rates_from_one_to_ten_and_boards_print_it_times_ten(tmp_path: Path, make: MakeTask) -> None:
    """Otherwise the rating could not stand beside a published one."""
    opinion, ears = Opinion({"rating": 7}, {"rating": 8}), Ears("Knock, knock.")
    task = make("alpaca-eval", alpaca(tmp_path), parts={"judge": opinion, "transcriber": ears}, judgements=2)
    assert [(m.name, m.low, m.high) for m in task.metrics[:2]] == [("rating", 1, 10), ("rating_x10", 10, 100)]
    outcome = judged(task, Condition.S2S, ReplyAnswer(None, silence(1.0)))
    assert values(outcome) == {"rating": 7.5, "rating_x10": 75.0}
    assert ears.asked == 1, "judge and report want the same transcript"
    assert [ask.repeat for ask in opinion.asked] == [0, 1]
    told = "".join(map(str, opinion.asked[0].material))
    assert "Tell me a joke." in told and "Knock, knock." in told
    assert opinion.asked[0].form.model_json_schema()["properties"]["rating"]["enum"] == list(range(1, 11))


def test_what_the_judge_could_not_say_is_the_items_outcome(tmp_path: Path, make: MakeTask) -> None:
    """Otherwise a server that is down gives the lowest rating."""
    task = make("alpaca-eval", alpaca(tmp_path), parts={"judge": Opinion({"rating": 7})})
    unreachable = Failure("judge_error", "down")
    answer = ReplyAnswer("Ha.", judgements=(Judgement({"rating": 3}, ""), unreachable))
    assert graded(task, Condition.T2T, answer) == unreachable
    assert reason(graded(task, Condition.T2T, ReplyAnswer("Ha."))) == "not_judged"
    with pytest.raises(ItemError, match="empty_reply"):
        task.to_judge(task.items()[0], Condition.T2T, ReplyAnswer(" ..."))
    assert reason(graded(task, Condition.T2T, ReplyAnswer(" ..."))) == "empty_reply"


def test_open_requests_have_to_be_judged_and_questions_may_be(tmp_path: Path, make: MakeTask) -> None:
    """Otherwise a run without a judge ends with nothing, or questions cannot be run without one."""
    assert is_judged(make("alpaca-eval", alpaca(tmp_path)))
    assert not is_judged(make("spoken-qa-mini", MINI))
    opinion = Opinion({"correct": True}, {"correct": False}, {"correct": True})
    task = make("spoken-qa-mini", MINI, parts={"judge": opinion}, judgements=3)
    outcome = judged(task, Condition.T2T, ReplyAnswer("The city on the Seine."))
    assert values(outcome) == {"normalised": 0.0, "exist": 0.0, "judged": 1.0, "judge_failed": 0.0}
    assert "Paris" in "".join(map(str, opinion.asked[0].material))


def test_a_judge_that_may_be_asked_spoils_nothing(make: MakeTask) -> None:
    """Otherwise a server that is down costs the grades that the rules gave."""
    task = make("spoken-qa-mini", MINI, parts={"judge": Opinion({"correct": True})})
    unreachable = Failure("judge_error", "down")
    outcome = graded(task, Condition.T2T, ReplyAnswer("It is Paris.", judgements=(unreachable,)))
    assert values(outcome) == {"normalised": 1.0, "exist": 1.0, "judge_failed": 1.0}
    assert isinstance(outcome, Grade) and outcome.details["judge_failure"] == "judge_error: down"


def test_rules_grade_what_no_judge_can_be_asked(tmp_path: Path, make: MakeTask) -> None:
    """Otherwise data without the questions' texts lose their grades as soon as a judge is set."""
    file = tmp_path / "data/test-00000-of-00001.parquet"
    write_parquet(file, [{"Answer": "Paris", "audio": audio(0)}])
    task = make("llama-questions", tmp_path, parts={"judge": Opinion({"correct": True})})
    assert values(judged(task, Condition.S2T, ReplyAnswer("Paris")))["normalised"] == 1.0


def test_judgements_that_cannot_decide_are_refused(tmp_path: Path, make: MakeTask) -> None:
    """Otherwise a tie is wrong, or no reply is judged, after the judge was paid."""
    judge = {"judge": Opinion({"correct": True})}
    with pytest.raises(SpeechzooError, match="judgements=2: right or wrong is for the majority"):
        make("spoken-qa-mini", MINI, parts=judge, judgements=2)
    for wrong in (0, -1):
        with pytest.raises(SpeechzooError, match="takes one or more"):
            make("alpaca-eval", alpaca(tmp_path), judgements=wrong)
    make("alpaca-eval", tmp_path, judgements=2)
    make("spoken-qa-mini", MINI, judgements=2)


def test_data_without_a_question_are_refused(tmp_path: Path, make: MakeTask) -> None:
    """Otherwise a run of nothing is measured in the word error rate of its replies."""
    flagged = [{**TREES, "flags": ["unintelligible"]}] * 2
    folder = write_items(tmp_path, [{**row, "id": str(n)} for n, row in enumerate(flagged)])
    with pytest.raises(SpeechzooError, match=r"no question to ask. 2 of 2 items are left out.*flagged=keep"):
        make("spoken-qa", folder)
    write_parquet(tmp_path / "data/test-00000-of-00001.parquet", [])
    with pytest.raises(SpeechzooError, match=r"no question to ask\. llama-questions: the files hold no rows"):
        make("llama-questions", tmp_path)


@pytest.mark.parametrize("name", ["llama-questions", "web-questions", "trivia-qa"])
def test_open_answers_are_stated_by_the_rule_that_others_are(tmp_path: Path, name: str) -> None:
    """Otherwise the figure that a user quotes cannot be held against the published ones beside it."""
    write_parquet(tmp_path / "data/test-00000-of-00001.parquet", [])
    task = open_catalogue().task(name, data=str(tmp_path))
    assert task.parameters["rule"] == "published"
    names = [
        metric.name for metric in metrics_of(["answers"], published_first=True, judged=False, second=False)
    ]
    assert names[:2] == ["exist", "normalised"]


@pytest.mark.parametrize(("reply", "exist"), [("Vitamin A", 1.0), ("Vitamin B", 0.0)])
def test_an_answer_that_one_rule_cannot_find_is_left_to_the_other(
    tmp_path: Path, make: MakeTask, reply: str, exist: float
) -> None:
    """Otherwise one rule's blind spot takes the item from both."""
    rows = [{"Questions": "Which vitamin?", "Answer": "A", "audio": audio(0)}]
    write_parquet(tmp_path / "data/test-00000-of-00001.parquet", rows)
    task = make("llama-questions", tmp_path, rule="published")
    assert values(graded(task, Condition.T2T, ReplyAnswer(reply))) == {"exist": exist}
    sound = make("llama-questions", tmp_path)
    assert reason(graded(sound, Condition.T2T, ReplyAnswer(reply))) == "empty_answer"


def test_published_protocols_say_what_an_unread_reply_counts_as() -> None:
    """Otherwise the value beside a board's leaves out the replies that its rule could not read."""
    counted = {
        metric.name: metric.invalid_counts_as
        for kind in ("options", "refusal", "answers")
        for metric in metrics_of([kind], published_first=True, judged=True, second=False)
    }
    assert counted["voicebench"] == {"unparsed": 0.25, "empty_reply": 0.25}
    assert counted["refusal-phrases"] == {"empty_reply": 1.0}
    assert counted["exist"] == counted["judged"] == {}
    (_, voicebench, _) = metrics_of(["options"], published_first=False, judged=False, second=False)
    assert (voicebench.name, voicebench.invalid_counts_as) == ("voicebench", None)


def test_every_rule_that_a_kind_names_is_there() -> None:
    """Otherwise a whole subset fails when its first reply is graded."""
    named = {name for grading in GRADINGS.values() for name in grading.rules(False)}
    assert named <= set(RULES)


def test_the_specs_name_parameters_the_class_has() -> None:
    """Otherwise ``--set`` would fail on a documented option."""
    import inspect

    for spec in speechzoo_tasks():
        keywords = inspect.signature(import_target(spec.target)).parameters
        assert set(spec.parameters) <= set(keywords), spec.name


def test_published_data_are_listed_and_never_fetched_unpinned() -> None:
    """Otherwise a figure would be of whatever the hub held that day."""
    data = read_registry(speechzoo_registry()).data
    for name in BENCHMARKS:
        assert unpinned(data[name]) and "--data DIR" in data[name].obtain


def test_published_values_are_of_metrics_that_are_measured() -> None:
    """Otherwise what others printed would never stand beside a user's own value."""
    names = {"judged", "rating", "rating_x10", "rating_x20"} | set(RULES)
    data = read_registry(speechzoo_registry()).data
    subsets = {spec.name: {"", *spec.subsets} for spec in speechzoo_tasks()}
    for name, entry in data.items():
        assert {one.metric for one in entry.published} <= names, name
        assert {one.subset for one in entry.published} <= subsets[name], name


def test_validate_finds_what_is_wrong(tmp_path: Path, make: MakeTask) -> None:
    """Otherwise a user learns in the middle of a night's run that data are missing."""
    rows = [
        {"Questions": f"Question {n}?", "Answer": "x", "audio": None if n == 1 else audio(n)}
        for n in range(3)
    ]
    write_parquet(tmp_path / "data/test-00000-of-00001.parquet", rows)
    task = make("llama-questions", tmp_path)
    found = examine("llama-questions", [(task, list(task.items()))], decode=True, progress=Silent())
    assert [(one.kind, one.items) for one in found.problems] == [("no_audio", ("llama-questions-0002",))]
    assert found.clips is not None and found.clips.rates == {24_000: 1, 44_100: 1}


@pytest.fixture(scope="module")
def plugin_under_test() -> object:
    return testing.plugin("spoken-qa")


def test_the_plugin_conforms(plugin_check: Callable[[], None]) -> None:
    """Otherwise a broken plugin is set aside, or breaks the commands of others."""
    plugin_check()
