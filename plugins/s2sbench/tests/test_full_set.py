"""The task s2sbench on a folder in the reference's layout, from files to report."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from speechzoo import (
    AudioClip,
    Condition,
    ContinuationScore,
    Failure,
    Grade,
    ItemError,
    ScoreAnswer,
    ScoreAsk,
    Setup,
    SpeechzooError,
)
from speechzoo.asks import MultiScoreAsk, spoken_text
from speechzoo.registry import read_registry
from speechzoo.run.records import GradeRecord
from speechzoo.run.store import read_lines

from speechzoo_s2sbench.plugin import OPTIONS, speechzoo_registry, speechzoo_tasks
from speechzoo_s2sbench.task import PROMPTS_DIFFER, S2SBench

T2T, S2T = Condition.T2T, Condition.S2T
STORIES = Path("S2S/StoryCloze")
ENGLISH = "Below is a segment of alternating speech and text content: "
CHINESE = "下面是一段语音和文本交错的内容："


def task(folder: Path, subset: str = "", **options: Any) -> S2SBench:
    return S2SBench(Setup("s2sbench", folder), subset=subset, **options)


def rewrite(file: Path, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> None:
    rows = [changed for line in file.read_text().splitlines() if (changed := change(json.loads(line)))]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def answer(*losses: float, **more: Any) -> ScoreAnswer:
    return ScoreAnswer(tuple(ContinuationScore(-4 * loss, 4) for loss in losses), **more)


def test_every_subset_is_read_alone_and_together(folder: Path) -> None:
    """Otherwise who has one of the three data sets could run none."""
    counts = {"sstorycloze": 4, "zh-sstorycloze": 3, "scmmlu": 5}
    whole = task(folder)
    assert len(whole.items()) == 12
    assert len({item.id for item in whole.items()}) == 12
    for subset, count in counts.items():
        alone = task(folder, subset).items()
        assert [item.attributes["subset"] for item in alone] == [subset] * count
        assert [item.id for item in alone] == [
            i.id for i in whole.items() if i.attributes["subset"] == subset
        ]
    shutil.rmtree(folder / "S2S" / "cmmlu")
    assert len(task(folder, "sstorycloze").items()) == 4


def missing(folder: Path, subset: str = "") -> str:
    with pytest.raises(SpeechzooError) as caught:
        task(folder, subset)
    return str(caught.value)


def test_missing_records_name_the_way_out_that_there_is(folder: Path) -> None:
    """Otherwise who gave the wrong folder would be sent to run a subset that is not there either."""
    alone, question = "can be run alone", "the folder that holds S2S/?"
    inside = missing(folder / "S2S")
    assert "sStory_s2t.jsonl is missing: the records of sstorycloze." in inside
    assert f"Is {folder / 'S2S'} {question}" in inside and alone not in inside
    shutil.rmtree(folder / "S2S" / "cmmlu")
    told = missing(folder)
    assert "cmmlu_rewrite_4.jsonl is missing: the records of scmmlu." in told
    assert f"{alone}: --task NAME/SUBSET, here with sstorycloze or zh-sstorycloze" in told
    assert question not in told
    told = missing(folder, "scmmlu")
    assert alone not in told and question not in told


def test_subsets_and_counts_are_those_the_registry_names() -> None:
    """Otherwise the wrong number of items would go unnoticed, or a subset could not be asked for."""
    spec = next(spec for spec in speechzoo_tasks() if spec.name == "s2sbench")
    entry = read_registry(speechzoo_registry()).data["s2sbench"]
    assert tuple(S2SBench.subsets) == spec.subsets == tuple(entry.expected)
    assert {one.subset for one in entry.published} == set(spec.subsets)
    assert len(entry.published) == 14 and all(0.5 < one.value < 0.9 for one in entry.published)


def test_each_record_of_a_pair_has_its_own_clip(folder: Path) -> None:
    """Otherwise the two readings that the reference compares under would be one."""
    pair = task(folder, "sstorycloze").items()[1]
    ask = task(folder, "sstorycloze").ask(pair, S2T)
    assert isinstance(ask, MultiScoreAsk)
    audio = folder / STORIES / "s-story-firstspeech"
    heard = [(one.context[0].parts[0], one.context[0].parts[1].data, one.continuations) for one in ask.asks]
    assert heard == [
        (ENGLISH, audio / "2.wav", ("end  1.",)),
        (ENGLISH, audio / "3.wav", ("end wrong 1.",)),
    ]


def test_both_after_the_plausible_ones_clip(folder: Path) -> None:
    """Otherwise a difference between two readings of one text could not be told from one of endings."""
    made = task(folder, "sstorycloze", context_audio="positive")
    ask = made.ask(made.items()[1], S2T)
    assert isinstance(ask, ScoreAsk)
    assert ask.context[0].parts[1].data.name == "2.wav"
    assert ask.continuations == ("end  1.", "end wrong 1.")


def test_text_and_questions_have_one_context(folder: Path) -> None:
    """Otherwise a context would be computed once for each of its continuations."""
    made = task(folder)
    pair, question = made.items()[0], made.items()[-1]
    read = made.ask(pair, T2T)
    assert isinstance(read, ScoreAsk)
    assert read.context[0].parts == (pair.data["firsts"][0],)
    assert read.continuations == (" end  0.", " end wrong 0.")
    heard = made.ask(question, S2T)
    assert isinstance(heard, ScoreAsk) and len(heard.continuations) == 4
    prefix, clip = heard.context[0].parts
    assert prefix == CHINESE and isinstance(clip, AudioClip)
    assert clip.data == folder / "S2S/cmmlu/cmmlu_rewrite/q4.wav"
    assert spoken_text(heard) == question.data["firsts"][0]


def test_contexts_that_differ_are_each_given(folder: Path) -> None:
    """Otherwise one record's continuation would be scored after the other's context."""
    file = folder / STORIES / "sStory_s2t.jsonl"
    rewrite(file, lambda row: {**row, "first": "Another."} if row["uttid"] == 3 else row)
    with pytest.raises(SpeechzooError, match="2, 3: the contexts differ"):
        task(folder, "sstorycloze")
    made = task(folder, "sstorycloze", pairing="sorted_adjacent")
    ask = made.ask(made.items()[1], T2T)
    assert isinstance(ask, MultiScoreAsk)
    assert [one.context[0].text for one in ask.asks] == [made.items()[1].data["firsts"][0], "Another."]
    assert any("pairs of two different contexts: 1" in note for note in made.notes)


def test_chat_wrap_asks_for_the_chat_template(folder: Path) -> None:
    """Otherwise an instruct model would be scored out of its element although the option is on."""
    made = task(folder, "sstorycloze", chat_wrap=True)
    ask = made.ask(made.items()[0], S2T)
    assert isinstance(ask, MultiScoreAsk) and all(one.chat for one in ask.asks)
    with pytest.raises(SpeechzooError, match="choose one of the two"):
        task(folder, "sstorycloze", chat_wrap=True, normalisation="unconditional")


def test_last_listed_gives_english_chinese_strings(folder: Path) -> None:
    """Otherwise English figures made with the reference script as shipped could not be made again."""
    made = task(folder, "sstorycloze", prompt_lang="last_listed")
    pair = made.items()[0]
    assert made.ask(pair, T2T).continuations == ("end  0.", "end wrong 0.")
    assert made.ask(pair, S2T).asks[0].context[0].parts[0] == CHINESE


def test_accuracies_stand_side_by_side(folder: Path) -> None:
    """Otherwise the choice of a unit would have to be trusted instead of looked at."""
    made = task(folder, "sstorycloze")
    prior = (ContinuationScore(-2.0, 4), ContinuationScore(-9.0, 6))
    found = made.grade(
        made.items()[0],
        T2T,
        ScoreAnswer((ContinuationScore(-8.0, 4), ContinuationScore(-10.2, 6)), prior=prior),
    )
    assert isinstance(found, Grade)
    # 2.0 and 1.7 a token; 8 and 10.2; 8/7 and 10.2/12 a character; 6 and 1.2 less the prior.
    assert found.values == {
        "accuracy": 0.0,
        "loss_right": 2.0,
        "loss_wrong": pytest.approx(1.7),
        "accuracy_token": 0.0,
        "accuracy_sum": 1.0,
        "accuracy_character": 0.0,
        "accuracy_byte": 0.0,
        "accuracy_unconditional": 0.0,
    }
    assert {metric.name for metric in made.metrics} == set(found.values)
    assert all(metric.chance == 0.5 for metric in made.metrics if metric.name.startswith("accuracy"))


def test_what_cannot_be_computed_is_left_out(folder: Path) -> None:
    """Otherwise an average would hold guesses."""
    made = task(folder, "sstorycloze")
    pair = made.items()[0]
    plain = made.grade(pair, T2T, answer(1.0, 2.0))
    imported = made.grade(pair, T2T, answer(1.0, 2.0, means=True))
    assert isinstance(plain, Grade) and "accuracy_unconditional" not in plain.values
    assert isinstance(imported, Grade)
    assert [name for name in imported.values if name.startswith("accuracy")] == ["accuracy", "accuracy_token"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"normalisation": "unconditional"}, "no_prior"),
        ({"length_denominator": "reference_mask"}, "no_audio_tokens"),
    ],
)
def test_an_option_that_lacks_its_numbers_is_a_failure(
    folder: Path, options: dict[str, Any], reason: str
) -> None:
    """Otherwise the default would stand in under the option's name."""
    made = task(folder, "sstorycloze", **options)
    found = made.grade(made.items()[0], S2T, answer(1.0, 2.0))
    assert isinstance(found, Failure) and found.reason == reason


def test_records_and_pairs_are_told(folder: Path) -> None:
    """Otherwise nobody would know whether 3742 are records or pairs."""
    file = folder / STORIES / "sStory_s2t.jsonl"
    assert task(folder, prompt_style="matched").notes == (
        "sstorycloze: 8 records, 4 pairs (pairing=checked), records left over: 0.",
        "zh-sstorycloze: 6 records, 3 pairs (pairing=checked), records left over: 0.",
        "scmmlu: 5 questions.",
    )
    rewrite(file, lambda row: None if row["uttid"] == 3 else row)
    assert task(folder, "sstorycloze", pairing="parity", prompt_style="matched").notes == (
        "sstorycloze: 7 records, 3 pairs (pairing=parity), records left over: 1 (2).",
    )
    assert task(folder, "sstorycloze", pairing="sorted_adjacent", prompt_style="matched").notes == (
        "sstorycloze: 7 records, 3 pairs (pairing=sorted_adjacent), records left over: 1 (7).",
        "sstorycloze: pairs whose keys do not follow each other: 1.",
        "sstorycloze: pairs of two different contexts: 2; each continuation is scored after its own.",
    )


def test_prompts_that_differ_are_told(folder: Path) -> None:
    """Otherwise a change of prompt would be read as what hearing costs."""
    told = [note for note in task(folder).notes if "different strings" in note]
    assert told == [PROMPTS_DIFFER]
    assert "T - S and CT - C" in told[0] and "prompt_style=matched" in told[0]
    assert PROMPTS_DIFFER not in task(folder, prompt_style="matched").notes


def test_clips_tell_their_language(folder: Path) -> None:
    """Otherwise a recogniser of English would write Chinese down as English nonsense."""
    for item in task(folder).items():
        language = "en" if item.attributes["subset"] == "sstorycloze" else "zh"
        assert {clip.language for clip in item.data["clips"]} == {language}


def test_equal_continuations_are_told(folder: Path) -> None:
    """Otherwise a comparison that no model can win would count against every one."""
    rewrite(folder / STORIES / "sStory_s2t.jsonl", lambda row: {**row, "last": "Same."})
    assert (
        "sstorycloze: items with a wrong continuation that is equal to the right one: 4."
        in task(folder).notes
    )


def test_attributes(folder: Path, tmp_path: Path) -> None:
    """Otherwise nobody could see where a model loses."""
    english, *_, question = task(folder).items()
    assert english.attributes == {"subset": "sstorycloze", "context_words": "10-19"}
    assert question.attributes == {
        "subset": "scmmlu", "context_characters": "0-19", "digits_or_latin": "no",
    }  # fmt: skip
    subjects = tmp_path / "subjects.jsonl"
    subjects.write_text('{"uttid": "q3", "subject": "law"}\n')
    joined = task(folder, "scmmlu", subjects=str(subjects))
    assert [item.attributes["subject"] for item in joined.items()] == ["unknown"] * 3 + ["law", "unknown"]
    assert "scmmlu: questions of unknown subject: 4." in joined.notes
    latin = [item.attributes["digits_or_latin"] for item in joined.items()]
    assert latin == ["no", "yes", "no", "yes", "no"]
    rewrite(folder / "S2S/cmmlu/cmmlu_rewrite_4.jsonl", lambda row: {**row, "subject": "art"})
    own = task(folder, "scmmlu", subjects=str(subjects))
    assert {item.attributes["subject"] for item in own.items()} == {"art"}
    assert not any("unknown subject" in note for note in own.notes)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ('{"subject": "law"}\n{"subject": "art"}\n', ":1: 'uttid' must be a number or a text, not None"),
        (
            '{"uttid": "q1", "subject": "law"}\n{"uttid": "q1", "subject": "art"}\n',
            ":2: uttid q1 stands in line 1 already",
        ),
    ],
)
def test_a_bad_file_of_subjects_is_named(folder: Path, tmp_path: Path, lines: str, told: str) -> None:
    """Otherwise every question would be of unknown subject, or of the wrong one, without a word."""
    subjects = tmp_path / "subjects.jsonl"
    subjects.write_text(lines)
    with pytest.raises(SpeechzooError) as caught:
        task(folder, "scmmlu", subjects=str(subjects))
    assert f"{subjects}{told}" in str(caught.value)


def test_recordings_of_continuations_open_speech_after_speech(folder: Path) -> None:
    """Otherwise data that have spoken endings could not be used for t2s and s2s."""
    clip = (folder / STORIES / "s-story-firstspeech/0.wav").read_bytes()
    file = folder / STORIES / "sStory_s2t.jsonl"
    for key in range(8):
        (folder / f"end-{key}.wav").write_bytes(clip)
    rewrite(file, lambda row: {**row, "last_audio": f"end-{row['uttid']}.wav"})
    made = task(folder, "sstorycloze")
    assert made.conditions == tuple(Condition)
    ask = made.ask(made.items()[0], Condition.T2S)
    assert [part.data.name for part in ask.continuations] == ["end-0.wav", "end-1.wav"]
    assert [part.transcript for part in ask.continuations] == made.items()[0].data["continuations"]
    assert {part.language for part in ask.continuations} == {"en"}
    spoken = made.ask(made.items()[0], Condition.S2S)
    prefix = "Below is a segment of alternating speech and speech content: "
    assert {one.context[0].parts[0] for one in spoken.asks} == {prefix}


def test_half_the_recordings_are_not_enough(folder: Path) -> None:
    """Otherwise half of all items would fail, and the report be over the rest."""
    file = folder / STORIES / "sStory_s2t.jsonl"
    rewrite(file, lambda row: {**row, **({"last_audio": "e.wav"} if row["uttid"] % 2 else {})})
    made = task(folder, "sstorycloze")
    assert made.conditions == (T2T, S2T)
    assert "4 of 8 continuations have no recording" in made.notes[-1]
    with pytest.raises(ItemError, match="no_recording"):
        made.ask(made.items()[0], Condition.T2S)


def test_a_recording_outside_the_data_folder_is_refused(folder: Path) -> None:
    """Otherwise a data set could have any file of the user's sent to a model."""
    rewrite(folder / STORIES / "sStory_s2t.jsonl", lambda row: {**row, "last_audio": "../x.wav"})
    with pytest.raises(SpeechzooError, match="leaves the data folder"):
        task(folder, "sstorycloze")


def test_a_hub_cache_of_links_is_read(folder: Path, tmp_path: Path) -> None:
    """Otherwise data as the hub's client keeps them, links into a folder of blobs, could not be used."""
    snapshot, blobs = tmp_path / "snapshot", tmp_path / "blobs"
    blobs.mkdir()
    for number, file in enumerate(path for path in folder.rglob("*") if path.is_file()):
        link = snapshot / file.relative_to(folder)
        link.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, blobs / str(number))
        link.symlink_to(Path("../" * (len(link.relative_to(tmp_path).parts) - 1)) / "blobs" / str(number))
    linked = task(snapshot)
    assert [item.id for item in linked.items()] == [item.id for item in task(folder).items()]
    for item in linked.items():
        assert all(clip.seconds == pytest.approx(0.25, abs=0.01) for clip in item.data["clips"])


def report(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((path / "report.json").read_text())
    return found


def graded(run: Path, condition: Condition) -> set[str]:
    """The metrics that every item has a value of."""
    grades = [
        set(grade.values)
        for grade in read_lines(run / "grades.jsonl", GradeRecord)
        if grade.key.condition == condition and not grade.key.variant
    ]
    return set.intersection(*grades)


def test_a_whole_run(speechzoo: Callable[..., Any], folder: Path, tmp_path: Path) -> None:
    """Otherwise the benchmark's first user would be the first to run it."""
    (folder / STORIES / "zh_story" / "2_zh.wav").unlink()
    speechzoo(
        "eval", "-m", "instrument", "-t", "s2sbench", "--data", str(folder), "--out", "run",
        "--conditions", "t2t,s2t", "--max-errors", "1",
    )  # fmt: skip
    found = report(tmp_path / "run")
    stages = {stage["name"]: stage for stage in found["stages"]}
    assert (stages["T"]["valid"], stages["S"]["valid"]) == (12, 11)
    assert stages["S"]["invalid"] == {"missing_file": 1}
    assert {"accuracy_sum", "accuracy_unconditional"} <= graded(tmp_path / "run", S2T)
    by_subset = next(breakdown for breakdown in found["breakdowns"] if breakdown["name"] == "subset")
    assert {group["label"]: group["items"] for group in by_subset["groups"]} == {
        "sstorycloze": 4, "zh-sstorycloze": 2, "scmmlu": 5,
    }  # fmt: skip
    notes = found["run"]["notes"]
    assert "sstorycloze: 8 records, 4 pairs (pairing=checked), records left over: 0." in notes
    assert "4 items of sstorycloze, the registry expects 1871 or 3742" in notes


@pytest.mark.parametrize("subset", ["sstorycloze", "zh-sstorycloze", "scmmlu"])
def test_each_subset_runs_alone_with_every_option_set(
    speechzoo: Callable[..., Any], folder: Path, tmp_path: Path, subset: str
) -> None:
    """Otherwise an option would be found wanting after the data set was had with effort."""
    chosen = {
        "ties": "half", "cmmlu_metric": "four_way", "prompt_style": "matched", "prompt_lang": "last_listed",
        "loss_dtype": "bfloat16", "normalisation": "unconditional", "context_audio": "positive",
        "pairing": "parity", "length_denominator": "reference_mask",
    }  # fmt: skip
    assert set(chosen) == set(OPTIONS) - {"chat_wrap", "subjects"}
    settings = [word for name, value in chosen.items() for word in ("--set", f"{name}={value}")]
    speechzoo(
        "eval", "-m", "instrument", "-t", f"s2sbench/{subset}", "--data", str(folder), "--out", "run",
        "--conditions", "t2t,s2t", *settings,
    )  # fmt: skip
    found = report(tmp_path / "run")
    chance = 0.25 if subset == "scmmlu" else 0.5
    assert found["metric"]["chance"] == chance
    assert {stage["valid"] for stage in found["stages"]} == {stage["planned"] for stage in found["stages"]}
    assert "accuracy_token" in graded(tmp_path / "run", T2T)
    assert "accuracy_token" not in graded(tmp_path / "run", S2T)  # nobody tells the audio tokens


def test_data_that_are_not_here_say_how_to_have_them(speechzoo: Callable[..., Any]) -> None:
    """Otherwise the user would have to find out where the data are, and in what layout."""
    done = speechzoo("eval", "-m", "instrument", "-t", "s2sbench/scmmlu", code=3)
    assert "--data undobug/S2SBench@COMMIT" in done.stderr and "--data DIR" in done.stderr
