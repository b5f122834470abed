"""The task s2sbench-mini: what is asked, what an answer is worth, and what the data promise."""

import hashlib
import json
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest
from speechzoo import AudioClip, Condition, ContinuationScore, Grade, Item, ScoreAnswer, Setup, SpeechzooError
from speechzoo.asks import checked, spoken_text
from speechzoo.registry import read_registry
from speechzoo.weights import verify_files

import speechzoo_s2sbench
from speechzoo_s2sbench.plugin import speechzoo_registry, speechzoo_tasks
from speechzoo_s2sbench.task import S2SBenchMini

MINI = Path(speechzoo_s2sbench.__file__).parent / "mini"
PREFIX = "Below is a segment of alternating speech and text content: "


@pytest.fixture(scope="module")
def task() -> S2SBenchMini:
    return S2SBenchMini(Setup("s2sbench-mini", MINI))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(MINI, tmp_path / "mini"))


def answer(*losses: float) -> ScoreAnswer:
    return ScoreAnswer(tuple(ContinuationScore(-4 * loss, 4) for loss in losses))


def accuracy(task: S2SBenchMini, score: Callable[[str], float]) -> dict[str, float]:
    """Weighted accuracy by part of a scorer that looks at the continuation alone."""
    totals: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for item in task.items():
        asked = task.ask(item, Condition.T2T)
        grade = task.grade(item, Condition.T2T, answer(*map(score, asked.continuations)))
        total = totals[str(item.attributes["subset"])]
        total[0] += grade.values["accuracy"] * grade.weight
        total[1] += grade.weight
    return {part: won / weight for part, (won, weight) in totals.items()}


def item_of(task: S2SBenchMini, part: str) -> Item:
    return next(item for item in task.items() if item.attributes["subset"] == part)


def test_the_shipped_data_are_those_the_registry_names(task: S2SBenchMini) -> None:
    """Otherwise two installations could measure with different data under one name."""
    entry = read_registry(speechzoo_registry()).data["s2sbench-mini"]
    verify_files(MINI, entry.files)
    parts = Counter(item.attributes["subset"] for item in task.items())
    expected = entry.expected
    assert parts == {name: expected[name] for name in ("stories", "choices")}
    assert expected["items"] == len(task.items())
    assert len({item.id for item in task.items()}) == len(task.items())
    assert sum(file.stat().st_size for file in MINI.rglob("*") if file.is_file()) < 5_000_000


@pytest.mark.parametrize("salt", ["a", "b", "c"])
def test_without_the_context_accuracy_is_one_half(task: S2SBenchMini, salt: str) -> None:
    """Otherwise a model could score above chance without having heard anything."""

    def score(continuation: str) -> float:
        return int(hashlib.sha256((salt + continuation).encode()).hexdigest()[:12], 16)

    assert accuracy(task, score) == {"stories": pytest.approx(0.5), "choices": pytest.approx(0.5)}


def test_each_cluster_has_as_many_clips_of_either_voice(task: S2SBenchMini) -> None:
    """Otherwise a difference between voices could be one between stories."""
    voices: dict[str | None, Counter[object]] = defaultdict(Counter)
    for item in task.items():
        voices[item.cluster][item.attributes["voice"]] += 1
    assert {tuple(sorted(counts.items())) for counts in voices.values()} == {
        (("joe", 1), ("joe-high", 1)),
        (("joe", 2), ("joe-high", 2)),
    }


def test_every_clip_decodes(task: S2SBenchMini) -> None:
    """Otherwise an item would fail in the middle of a run."""
    for item in task.items():
        clip = item.data["clips"][0]
        assert clip.header.rate == 16_000 or clip.header.rate == 48_000
        assert 1.5 < clip.seconds < 25


def test_text_is_asked_as_in_the_reference(task: S2SBenchMini) -> None:
    """Otherwise the text side of every loss would be another benchmark's."""
    item = item_of(task, "stories")
    asked = task.ask(item, Condition.T2T)
    assert [message.parts for message in asked.context] == [(item.data["firsts"][0],)]
    assert asked.continuations == tuple(" " + text for text in item.data["continuations"])
    assert not asked.chat


def test_speech_is_asked_as_in_the_reference(task: S2SBenchMini) -> None:
    """Otherwise the speech side of every loss would be another benchmark's."""
    item = item_of(task, "choices")
    asked = task.ask(item, Condition.S2T)
    assert [message.parts for message in asked.context] == [(PREFIX, item.data["clips"][0])]
    assert asked.continuations == tuple(item.data["continuations"])
    assert spoken_text(asked) == item.data["firsts"][0]


def test_matched_prompts_give_both_modes_the_same_words() -> None:
    """Otherwise the option would not do what it is for."""
    task = S2SBenchMini(Setup("s2sbench-mini", MINI), prompt_style="matched")
    item = item_of(task, "stories")
    text, speech = task.ask(item, Condition.T2T), task.ask(item, Condition.S2T)
    assert text.continuations == speech.continuations
    assert text.context[0].parts == (PREFIX + item.data["firsts"][0],)
    assert speech.context[0].parts == (PREFIX, item.data["clips"][0])


def test_the_last_listed_language_gives_english_the_chinese_strings() -> None:
    """Otherwise: English figures made with the reference script as shipped cannot be made again."""
    task = S2SBenchMini(Setup("s2sbench-mini", MINI), prompt_lang="last_listed")
    item = item_of(task, "stories")
    text, speech = task.ask(item, Condition.T2T), task.ask(item, Condition.S2T)
    assert text.context[0].parts == (item.data["firsts"][0],)
    assert speech.context[0].parts == ("下面是一段语音和文本交错的内容：", item.data["clips"][0])
    assert text.continuations == speech.continuations == tuple(item.data["continuations"])


def test_mean_losses_are_the_references(task: S2SBenchMini) -> None:
    """Otherwise: the losses beside an accuracy are means over something else than in the reference."""
    assert [metric.name for metric in task.metrics[:3]] == ["accuracy", "loss_right", "loss_wrong"]
    story, choice = item_of(task, "stories"), item_of(task, "choices")
    losses = [2.0, 1.5, 1.0]
    losses.insert(choice.data["right"], 1.0)
    grades = [
        task.grade(story, Condition.T2T, answer(3.0, 2.0)),
        task.grade(choice, Condition.T2T, answer(*losses)),
    ]
    assert all(isinstance(grade, Grade) for grade in grades)
    means = {
        name: sum(grade.weight * grade.values[name] for grade in grades)
        / sum(grade.weight for grade in grades)
        for name in ("loss_right", "loss_wrong")
    }
    assert means == {"loss_right": (3.0 + 3 * 1.0) / 4, "loss_wrong": (2.0 + 2.0 + 1.5 + 1.0) / 4}


def test_a_question_is_three_comparisons(task: S2SBenchMini) -> None:
    """Otherwise choice questions would weigh less than in the reference."""
    item = item_of(task, "choices")
    losses = [2.0, 2.0, 2.0, 2.0]
    losses[item.data["right"]] = 1.0
    losses[(item.data["right"] + 1) % 4] = 0.5
    grade = task.grade(item, Condition.T2T, answer(*losses))
    assert grade.values["accuracy"] == pytest.approx(2 / 3)
    assert grade.weight == 3
    assert not grade.tie
    assert grade.details["loss_right"] == 1.0
    assert sorted(grade.details["loss_wrong"]) == [0.5, 2.0, 2.0]
    assert grade.details["margin"] == -0.5


def test_four_way_is_one_choice_and_knows_its_chance() -> None:
    """Otherwise a retention over chance would be computed with the wrong chance."""
    task = S2SBenchMini(Setup("s2sbench-mini", MINI), cmmlu_metric="four_way")
    item = item_of(task, "choices")
    assert task.grade(item, Condition.T2T, answer(1.0, 1.0, 1.0, 1.0)).weight == 1
    assert task.metrics[0].chance == pytest.approx((168 * 0.5 + 68 * 0.25) / 236)
    story = item_of(task, "stories")
    assert task.grade(story, Condition.T2T, answer(1.0, 1.0)).values["accuracy"] == 0.0


def test_ties_are_told_and_worth_what_the_reference_gives(task: S2SBenchMini) -> None:
    """Otherwise a model with coarse losses would be judged by accident."""
    story = task.grade(item_of(task, "stories"), Condition.T2T, answer(1.0, 1.0))
    choice = task.grade(item_of(task, "choices"), Condition.T2T, answer(1.0, 1.0, 1.0, 1.0))
    assert (story.values["accuracy"], story.tie) == (0.0, True)
    assert (choice.values["accuracy"], choice.tie) == (1.0, True)


def test_a_score_that_is_no_number_never_reaches_a_comparison(task: S2SBenchMini) -> None:
    """Otherwise the order of the options would decide."""
    asked = task.ask(item_of(task, "stories"), Condition.T2T)
    assert getattr(checked(asked, answer(float("nan"), 1.0)), "reason", None) == "non_finite"


def test_a_changed_file_is_refused(copy: Path) -> None:
    """Otherwise a damaged or edited copy would be reported under the data set's name."""
    with (copy / "stories.jsonl").open("a") as file:
        file.write("\n")
    with pytest.raises(SpeechzooError, match=r"stories\.jsonl is not the registered file"):
        S2SBenchMini(Setup("s2sbench-mini", copy))


def test_audio_outside_the_data_folder_is_never_opened(copy: Path) -> None:
    """Otherwise a data set could have any file of the user's sent to a model."""
    file = copy / "stories.jsonl"
    file.write_text(file.read_text().replace("audio/story-000.opus", "../../story-000.opus"))
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["files"]["stories.jsonl"] = hashlib.sha256(file.read_bytes()).hexdigest()
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(SpeechzooError, match="leaves the data folder"):
        S2SBenchMini(Setup("s2sbench-mini", copy))


def test_the_spec_names_parameters_the_class_has(task: S2SBenchMini) -> None:
    """Otherwise ``--set`` would fail on a documented option."""
    spec = next(spec for spec in speechzoo_tasks() if spec.name == "s2sbench-mini")
    made = S2SBenchMini(
        Setup("s2sbench-mini", MINI), **{name: p.default for name, p in spec.parameters.items()}
    )
    assert made.metrics == task.metrics
    assert isinstance(made.items()[0].data["clips"][0], AudioClip)
