"""What others published, in the registry."""

from collections import defaultdict
from importlib.resources import files
from pathlib import Path

import pytest
from speechzoo.registry import read_registry

REGISTRY = read_registry(Path(str(files("speechzoo_spoken_qa"))) / "registry.yaml")
# VoiceBench's board without its overall, which is the mean of these, ratings times 20.
COLUMNS = (
    "alpacaeval_full",
    "commoneval",
    "wildvoice",
    "sd-qa",
    "mmsu",
    "openbookqa",
    "bbh",
    "ifeval",
    "advbench",
)
BOARD = {
    "Whisper-v3-large+GPT-4o": (4.8, 4.47, 4.62, 75.77, 81.69, 92.97, 87.2, 76.51, 98.27),
    "GPT-4o-Audio": (4.78, 4.49, 4.58, 75.5, 80.25, 89.23, 84.1, 76.02, 98.65),
    "Whisper-v3-large+LLaMA-3.1-8B": (4.53, 4.04, 4.16, 70.43, 62.43, 72.53, 69.7, 69.53, 98.08),
    "Kimi-Audio": (4.46, 3.97, 4.2, 63.12, 62.17, 83.52, 69.7, 61.1, 100.0),
    "Baichuan-Omni-1.5": (4.5, 4.05, 4.06, 43.4, 57.25, 74.51, 62.7, 54.54, 97.31),
    "MiniCPM-o": (4.42, 4.15, 3.94, 50.72, 54.78, 78.02, 60.4, 49.25, 97.69),
    "Baichuan-Audio": (4.41, 4.08, 3.92, 45.84, 53.19, 71.65, 54.8, 50.31, 99.42),
    "Phi-4-multimodal": (3.81, 3.82, 3.56, 39.78, 42.19, 65.93, 61.8, 45.35, 100.0),
    "GLM-4-Voice": (3.97, 3.42, 3.18, 36.98, 39.75, 53.41, 52.8, 25.92, 88.08),
    "Qwen2-Audio": (3.74, 3.43, 3.01, 35.71, 35.72, 49.45, 54.7, 26.33, 96.73),
    "Freeze-Omni": (4.03, 3.46, 3.15, 53.45, 28.14, 30.98, 50.7, 23.4, 97.3),
    "Moshi": (2.01, 1.6, 1.3, 15.64, 24.04, 25.93, 47.4, 10.12, 44.23),
}
# EchoX's table: Llama Questions, Web Questions, TriviaQA.
ECHOX = {
    "OmniDRCA (2B)": (55.3, 22.1, 17.9),
    "LLaMA-Omni2-3B": (55.7, 28.0, None),
    "EchoX-3B": (54.0, 31.6, 25.8),
    "GPT-4o-Realtime": (71.7, 51.6, 69.7),
    "VITA-Audio": (68.0, 41.7, 41.7),
    "MinMo": (64.1, 39.9, 37.5),
    "MiniCPM-o 2.6": (61.0, 40.0, 40.2),
    "OmniDRCA (8B)": (65.0, 30.0, 32.9),
    "GLM-4-Voice": (50.0, 32.0, 36.4),
    "LLaMA-Omni2-7B": (60.7, 31.3, None),
    "Freeze-Omni": (46.0, 26.1, 25.7),
    "Moshi": (43.7, 23.8, 16.7),
    "EchoX-8B": (63.3, 40.6, 35.0),
}


def test_the_boards_values_are_those_of_its_table() -> None:
    """Otherwise a mistyped value, or another column's, would stand beside a user's own."""
    found: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for one in REGISTRY.data["voicebench"].published:
        assert one.subset not in found[one.system], "printed once"
        found[one.system][one.subset] = round(one.value * (1 if one.metric == "rating" else 100), 2)
    assert found == {system: dict(zip(COLUMNS, row, strict=True)) for system, row in BOARD.items()}
    overall = [sum(row[:3]) * 20 + sum(row[3:]) for row in BOARD.values()]
    assert [overall[0] / 9, overall[-1] / 9] == pytest.approx([87.80, 29.51], abs=0.0051)


def test_echox_columns_are_those_of_its_table() -> None:
    """Otherwise a mistyped value, or another data set's, would stand beside a user's own."""
    found = {system: [None, None, None] for system in ECHOX}
    for column, name in enumerate(("llama-questions", "web-questions", "trivia-qa")):
        for one in REGISTRY.data[name].published:
            if "EchoX" in one.source:
                assert found[one.system][column] is None, "printed once"
                found[one.system][column] = round(100 * one.value, 2)
    assert {system: tuple(row) for system, row in found.items()} == ECHOX


def test_every_value_says_how_it_was_made() -> None:
    """Otherwise a judge's opinion and a matched word would look alike."""
    every = [one for entry in REGISTRY.data.values() for one in entry.published]
    assert len(every) == 173
    assert all(one.note for one in every)
    assert all(0 <= one.value <= 1 for one in every if not one.metric.startswith("rating"))
    assert all(1 <= one.value <= 5 for one in every if one.metric == "rating")
