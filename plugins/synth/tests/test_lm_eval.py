"""Documents of lm-eval's tasks as spoken items."""

import json
from pathlib import Path

import pytest

pytest.importorskip("lm_eval")

DOCUMENTS = [
    {"ask": "What colour is the sky?", "choices": ["red", "blue"], "gold": 1, "topic": "sky"},
    {"ask": "What is 2 + 3?", "choices": ["5", "6"], "gold": 0, "topic": "sums"},
]
COMMON = """
dataset_path: json
dataset_kwargs: {{data_files: {{test: {file}}}}}
test_split: test
doc_to_text: "Question: {{{{ask}}}}\\nAnswer:"
metric_list: [{{metric: {metric}}}]
"""


@pytest.fixture
def tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with tasks of both kinds, over the same documents."""
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.setenv(name, "1")
    folder = tmp_path / "tasks"
    folder.mkdir()
    file = folder / "documents.jsonl"
    file.write_text("".join(json.dumps(document) + "\n" for document in DOCUMENTS))
    (folder / "choice.yaml").write_text(
        "task: sky_choice\noutput_type: multiple_choice\ndoc_to_choice: choices\ndoc_to_target: gold"
        + COMMON.format(file=file, metric="acc")
    )
    (folder / "open.yaml").write_text(
        "task: sky_open\noutput_type: generate_until\ndoc_to_target: '{{choices[gold]}}'"
        + COMMON.format(file=file, metric="exact_match")
    )
    (folder / "picked.yaml").write_text(
        "task: sky_picked\noutput_type: generate_until\ndoc_to_choice: choices\ndoc_to_target: gold"
        + COMMON.format(file=file, metric="exact_match")
    )
    return folder


def test_a_target_among_choices_is_its_text(synth, made, tasks: Path) -> None:
    """Otherwise: the place of the answer is its gold, and every right reply counts as wrong."""
    synth(f"lm-eval:sky_picked@{tasks}")
    assert [row["answers"] for row in made().rows.values()] == [["blue"], ["5"]]


def test_options_of_a_prompt_stand_before_its_answer(synth, made, tasks: Path) -> None:
    """Otherwise: what is heard last is an option, given as the answer."""
    synth(f"lm-eval:sky_choice@{tasks}")
    first, _ = made().rows.values()
    assert first["spoken"] == "Question: What colour is the sky? A, red. B, blue. Answer"


def test_a_choice_is_spoken_with_its_options(synth, made, tasks: Path) -> None:
    """Otherwise: the benchmarks that text LLMs are known by cannot be asked in speech."""
    synth(f"lm-eval:sky_choice@{tasks}", "--question", "ask", "--attribute", "topic")
    first, second = made().rows.values()
    assert first["spoken"] == "What colour is the sky? A, red. B, blue"
    assert (first["options"], first["correct"], first["attributes"]) == (["red", "blue"], 1, {"topic": "sky"})
    assert second["spoken"].startswith("What is two plus three?") and second["correct"] == 0
    assert made().manifest["source"]["lm_eval_task"] == "sky_choice"


def test_without_a_column_the_prompt_is_spoken(synth, made, tasks: Path) -> None:
    """Otherwise: a task that builds its question of several columns loses all but one."""
    synth(f"lm-eval:sky_open@{tasks}")
    row = made().rows["sky_open-0"]
    assert row["spoken"] == "Question: What colour is the sky? Answer"
    assert row["answers"] == ["blue"]


def test_an_unknown_task_is_told_with_those_there_are(synth, tasks: Path) -> None:
    """Otherwise: a typing error ends in a traceback of the harness."""
    told = synth(f"lm-eval:sky_choise@{tasks}", code=2).output
    assert "no single task 'sky_choise'" in told and "sky_choice, sky_open" in told
