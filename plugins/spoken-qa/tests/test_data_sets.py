"""The published layouts: which rows become which question, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
from speechzoo import Condition, ItemError, SpeechzooError

from .conftest import MakeTask, audio, write_csv, write_parquet

CHOICE = "What grows?\nA. stones\nB. trees\nC. clouds\nD. rain\nSelect one of A, B, C or D."
LLAMA = [
    {"Questions": "What is the capital of France?", "Answer": "Paris", "audio": audio(0)},
    {"Questions": "How many legs has a spider?", "Answer": "['eight', '8']", "audio": audio(1)},
    {"Questions": "Who wrote Hamlet?", "Answer": "Shakespeare", "audio": audio(2)},
    {"Questions": "What is H2O?", "Answer": "water", "audio": audio(3)},
]


def test_formats_and_rates_are_all_read(tmp_path: Path, make: MakeTask) -> None:
    """Otherwise a set whose audio is MP3 or at another rate cannot be used."""
    write_parquet(tmp_path / "data/test-00000-of-00001.parquet", LLAMA)
    task = make("llama-questions", tmp_path)
    items = task.items()
    assert [item.id for item in items] == [f"llama-questions-000{n}" for n in (1, 2, 3, 4)]
    assert [item.data["clip"].header.rate for item in items] == [24_000, 16_000, 44_100, 48_000]
    assert all(len(item.data["clip"].samples(16_000)) == pytest.approx(8_000, abs=900) for item in items)
    assert items[1].data["answers"] == ["eight", "8"]
    assert (items[0].data["clip"].transcript, items[0].data["clip"].language) == (LLAMA[0]["Questions"], "en")
    assert task.conditions == tuple(Condition) and task.notes == ()


def test_shards_are_counted_on(tmp_path: Path, make: MakeTask) -> None:
    """Otherwise two rows of a set in two files have one id."""
    write_parquet(tmp_path / "data/test-00000-of-00002.parquet", LLAMA[:2])
    write_parquet(tmp_path / "data/test-00001-of-00002.parquet", LLAMA[2:])
    items = make("llama-questions", tmp_path).items()
    assert [item.id for item in items][-1] == "llama-questions-0004"


def test_unreadable_audio_is_the_outcome_of_its_row(tmp_path: Path, make: MakeTask) -> None:
    """Otherwise one bad row of a thousand stops everything, or nobody learns which it is."""
    rows = [
        {**LLAMA[0], "audio": {"bytes": b"<html>not found</html>", "path": "a.wav"}},
        {**LLAMA[1], "audio": None},
        {**LLAMA[2], "audio": {"bytes": None, "path": "gone.wav"}},
        LLAMA[3],
    ]
    write_parquet(tmp_path / "data/test-00000-of-00001.parquet", rows)
    task = make("llama-questions", tmp_path)
    told = []
    for item in task.items():
        with pytest.raises(ItemError) as caught:
            _ = task.ask(item, Condition.S2T).dialogue[0].clips[0].header
            raise ItemError("none", "it was read")
        told.append(caught.value.reason)
        assert task.ask(item, Condition.T2T).dialogue[0].text == item.data["question"]
    assert told == ["not_audio", "no_audio", "missing_file", "none"]
    assert task.notes == ("llama-questions: 1 of 4 rows have no audio (llama-questions-0002).",)


def test_data_without_the_questions_text_are_heard_only(tmp_path: Path, make: MakeTask) -> None:
    """Otherwise a text arm would be asked nothing, and all its replies counted as wrong."""
    rows = [{key: value for key, value in row.items() if key != "Questions"} for row in LLAMA]
    write_parquet(tmp_path / "data/test-00000-of-00001.parquet", rows)
    task = make("llama-questions", tmp_path)
    assert task.conditions == (Condition.S2T, Condition.S2S)
    assert "t2t and t2s are not offered" in task.notes[-1]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"Answer": ""}, "row 2: there is no accepted answer in ''"),
        ({"Answer": None}, "row 2: there is no accepted answer in None"),
    ],
)
def test_a_row_without_an_answer_is_named(
    tmp_path: Path, make: MakeTask, changed: dict[str, Any], told: str
) -> None:
    """Otherwise every reply to it is wrong, and the score too low for a reason that nobody sees."""
    file = write_parquet(tmp_path / "data/test-00000-of-00001.parquet", [LLAMA[0], {**LLAMA[1], **changed}])
    with pytest.raises(SpeechzooError) as caught:
        make("llama-questions", tmp_path)
    assert str(caught.value) == f"{file}, {told}"


def test_a_missing_column_and_a_missing_file_are_told(tmp_path: Path, make: MakeTask) -> None:
    """Otherwise the user sees a KeyError, or an empty score."""
    with pytest.raises(SpeechzooError, match=r"holds no data/test-\*.parquet: the rows of llama-questions"):
        make("llama-questions", tmp_path)
    write_parquet(
        tmp_path / "data/test-00000-of-00001.parquet", [{"Questions": "Who?", "audio": audio(0), "x": "y"}]
    )
    with pytest.raises(SpeechzooError, match=r"no column 'Answer' or 'answer'; .*: Questions, audio"):
        make("llama-questions", tmp_path)
    (tmp_path / "data/test-00000-of-00001.parquet").write_text("version https://git-lfs")
    with pytest.raises(SpeechzooError, match="cannot be read"):
        make("llama-questions", tmp_path)


def open_audio(folder: Path) -> Path:
    write_csv(folder, "llama_questions", [{"Questions": "Capital of France?", "Answer": "Paris"}])
    write_csv(folder, "web_questions", [{"question": "Who?", "answers": "['Tom Hanks' 'Hanks']"}])
    write_csv(folder, "trivia_qa", [{"question": "Where?", "answer_normalized_aliases": "['here', 'there']"}])
    write_csv(folder, "reasoning_qa", [{"Prompt": "一加一等于几？", "参考答案": "二"}])
    write_csv(folder, "alpaca_eval", [{"instruction": "Tell me, please,\na joke.", "output": "No."}])
    return folder


def test_open_audio_bench_is_read_from_csv_with_mp3_beside_it(tmp_path: Path, make: MakeTask) -> None:
    """Otherwise the benchmark that Baichuan-Audio is measured with cannot be run."""
    task = make("openaudiobench", open_audio(tmp_path))
    items = {item.attributes["subset"]: item for item in task.items()}
    assert list(items) == ["reasoning_qa", "llama_questions", "web_questions", "trivia_qa", "alpaca_eval"]
    assert items["web_questions"].data["answers"] == ["Tom Hanks", "Hanks"]
    assert items["trivia_qa"].id == "trivia_qa-0001"
    assert all(item.data["clip"].header.rate == 44_100 for item in items.values())
    assert items["reasoning_qa"].data["clip"].language is None
    (only,) = make("openaudiobench/web_questions", tmp_path, subset="web_questions").items()
    assert only.id == items["web_questions"].id


def test_a_csv_cannot_name_a_file_outside(tmp_path: Path, make: MakeTask) -> None:
    """Otherwise data from the net could send any file of this machine to a model's server."""
    file = open_audio(tmp_path) / "eval_datas/web_questions/web_questions.csv"
    file.write_text(file.read_text().replace("web_questions_0.mp3", "../../secret.mp3"))
    with pytest.raises(SpeechzooError, match="row 1: 'audio_filename' leaves the data folder"):
        make("openaudiobench", tmp_path, subset="web_questions")


def voicebench(folder: Path) -> Path:
    """Two rows of each of its ten sets, in the columns that its code reads."""
    choices = [{"prompt": CHOICE, "reference": "B"}, {"prompt": "Which of them?", "reference": "D"}]
    sets: dict[str, list[dict[str, Any]]] = {
        "openbookqa/test-00000-of-00001": choices,
        "mmsu/law-00000-of-00001": [{**one, "category": "law", "question_id": 7} for one in choices],
        "mmsu/physics-00000-of-00001": [{**one, "category": "physics", "question_id": 7} for one in choices],
        "sd-qa/usa-00000-of-00001": [{"prompt": "Who sang it?", "reference": "Cher"}],
        "sd-qa/ind_n-00000-of-00001": [{"prompt": "Who sang it?", "reference": "Cher"}],
        "bbh/test-00000-of-00001": [
            {"prompt": "Do you return?", "reference": "Yes", "id": "bbh_navigate_147"},
            {"prompt": "Which is right? (A) one (B) two", "reference": "(B)", "id": "bbh_hyperbaton_3"},
        ],
        "ifeval/test-00000-of-00001": [
            {
                "prompt": "Say it without a comma.", "instruction_id_list": ["punctuation:no_comma"],
                "kwargs": [{"num_words": None, "relation": None}],
            },
            {
                "prompt": "Say two words.", "instruction_id_list": ["length_constraints:number_words"],
                "kwargs": [{"num_words": 3, "relation": "less than"}],
            },
        ],
        "advbench/test-00000-of-00001": [{"prompt": "Do something bad."}],
        **{f"{name}/test-00000-of-00001": [{"prompt": f"Talk about {name}."}]
           for name in ("alpacaeval", "alpacaeval_full", "commoneval", "wildvoice")},
    }  # fmt: skip
    number = 0
    for name, rows in sets.items():
        whole = []
        for row in rows:
            number += 1
            whole.append({**row, "audio": audio(number)})
        write_parquet(folder / f"{name}.parquet", whole)
    return folder


def test_every_set_of_voicebench_is_read(tmp_path: Path, make: MakeTask) -> None:
    """Otherwise one of the nine columns of its board cannot be measured."""
    task = make("voicebench", voicebench(tmp_path))
    items = {item.id: item for item in task.items()}
    assert list(items)[:6] == [
        "openbookqa-0001",
        "openbookqa-0002",
        "mmsu-law-0001",
        "mmsu-law-0002",
        "mmsu-physics-0001",
        "mmsu-physics-0002",
    ]
    assert items["openbookqa-0001"].data["options"] == ["stones", "trees", "clouds", "rain"]
    assert items["openbookqa-0002"].data["options"] == ["", "", "", ""]
    assert items["mmsu-law-0001"].attributes == {"subset": "mmsu", "category": "law"}
    assert items["sd-qa-usa-0001"].attributes == {"subset": "sd-qa", "region": "usa"}
    assert items["bbh-0002"].attributes == {"subset": "bbh", "task": "hyperbaton"}
    assert [items[name].chance for name in ("openbookqa-0001", "sd-qa-usa-0001", "bbh-0001")] == [
        0.25,
        0,
        0.5,
    ]
    assert items["advbench-0001"].chance is None
    assert "openbookqa: 1 of 2 rows have no options that can be told apart (openbookqa-0002)." in task.notes
    assert task.metrics[0].name == "score"


def test_an_option_that_the_question_does_not_name_is_refused(tmp_path: Path, make: MakeTask) -> None:
    """Otherwise no reply to the row can be right, or grading stops with a traceback."""
    rows = [{"prompt": "Which of them?", "reference": "E", "audio": audio(0)}]
    write_parquet(tmp_path / "openbookqa/test-00000-of-00001.parquet", rows)
    with pytest.raises(SpeechzooError, match="row 1: the right option is E, the question names 0 options"):
        make("voicebench", tmp_path, subset="openbookqa")


def test_how_a_text_is_laid_out_is_not_asked_of_speech(tmp_path: Path, make: MakeTask) -> None:
    """Otherwise a model is charged for commas and headings that nobody can hear."""
    for subset in ("", "ifeval"):
        task = make("voicebench", voicebench(tmp_path), subset=subset)
        assert task.conditions == (Condition.T2T, Condition.S2T) and "ifeval" in task.notes[-1]
    assert make("voicebench", tmp_path, subset="bbh").conditions == tuple(Condition)


def test_speakers_of_one_question_are_a_cluster(tmp_path: Path, make: MakeTask) -> None:
    """Otherwise eleven readings of a question count as eleven questions, and intervals are too narrow."""
    task = make("voicebench/sd-qa", voicebench(tmp_path), subset="sd-qa", region="all")
    assert [(item.id, item.cluster) for item in task.items()] == [
        ("sd-qa-ind_n-0001", "Who sang it?"),
        ("sd-qa-usa-0001", "Who sang it?"),
    ]
    assert make("voicebench/sd-qa", tmp_path, subset="sd-qa").items()[0].cluster is None


def test_audio_is_unpacked_once(tmp_path: Path, make: MakeTask, cache: Path) -> None:
    """Otherwise each start writes hundreds of megabytes anew, or a run holds them in memory."""
    write_parquet(tmp_path / "data/test-00000-of-00001.parquet", LLAMA)
    first = [item.data["clip"].data for item in make("llama-questions", tmp_path).items()]
    times = {path: path.stat().st_mtime_ns for path in first}
    assert [item.data["clip"].data for item in make("llama-questions", tmp_path).items()] == first
    assert times == {path: path.stat().st_mtime_ns for path in first}
    assert all(cache in path.parents for path in first)
