"""Texts of the benchmarks in speechzoo's plugins: no training text may have a phrase of theirs."""

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

WORDS = 5
"""So many words in a row that stand in a benchmark, too, keep a text out."""

_MINIS = {
    ("speechzoo_s2sbench", "stories.jsonl"): ("first", "last"),
    ("speechzoo_s2sbench", "choices.jsonl"): ("first", "A", "B", "C", "D"),
    ("speechzoo_spoken_qa", "items.jsonl"): ("question", "spoken", "answers"),
    ("speechzoo_mtalk_bench", "dialogues.jsonl"): ("transcription",),
}

Phrase = tuple[str, ...]


def benchmark_texts() -> Iterator[str]:
    """All that s2sbench-mini, spoken-qa-mini and mtalk-mini have people read, hear or choose."""
    for (package, name), keys in _MINIS.items():
        for line in (files(package) / "mini" / name).read_text(encoding="utf-8").splitlines():
            row: dict[str, Any] = json.loads(line)
            for key in keys:
                yield from row[key] if isinstance(row[key], list) else [row[key]]


def words_of(text: str) -> list[str]:
    """Lower case, without punctuation; an apostrophe is none of a word's letters."""
    return re.findall(r"[a-z0-9]+", text.lower().replace("'", "").replace("’", ""))


class KeptOut:
    """Tells the texts that may not be trained on.

    A benchmark's text of three or four words counts as a whole. Shorter ones, single names such as "Paris",
    are words that any text may have.
    """

    def __init__(self) -> None:
        self._phrases: set[Phrase] = set()
        for text in benchmark_texts():
            words = words_of(text)
            if len(words) >= 3:
                self._phrases |= phrases(words, min(WORDS, len(words)))

    def __contains__(self, text: str) -> bool:
        words = words_of(text)
        return any(self._phrases & phrases(words, length) for length in range(3, WORDS + 1))


def phrases(words: list[str], length: int) -> set[Phrase]:
    """All runs of so many words."""
    return {tuple(words[start : start + length]) for start in range(len(words) - length + 1)}
