"""A plugin for tests, and the package that its model needs in one version and everything else in another."""

from pathlib import Path

from tests.run.packages import wheel

PLUGIN = """
from speechzoo import Capability, ModelSpec, Parameter, hookimpl


@hookimpl
def speechzoo_models():
    faults = {"fault": Parameter("", "load, exit or shape", decides=False)}
    return [
        ModelSpec("clash", "clash_model:Model", "says which package it found", frozenset(Capability), faults),
        ModelSpec("outer", "clash_model:Model", "has a part", parts={"llm": "old"}),
    ]
"""
MODEL = """
import os
import sys

import clash
import numpy as np

from speechzoo import AudioClip, ContinuationScore, ReplyAnswer, ScoreAnswer
from speechzoo.asks import dialogue_of
from speechzoo.dialogue import clips_of, parts_of


def prepare(folder):
    (folder / "prepared").write_text(f"by clash {clash.VERSION}")


class Model:
    def __init__(self, setup, *, fault):
        self._fault = fault
        print("noise on standard output")
        assert sys.stdin.read() == ""
        if fault == "load":
            raise RuntimeError("no such kernel")

    def score(self, asks):
        return [self._score(ask) for ask in asks]

    def _score(self, ask):
        seen = "".join(part for part in parts_of(dialogue_of(ask)) if isinstance(part, str))
        for clip in clips_of(dialogue_of(ask)):
            seen += f" {len(clip.samples(16_000))} {clip.digest}"
        if "poison" in seen and self._fault == "exit":
            os.write(2, b"the card is on fire\\n")
            os._exit(9)
        if "poison" in seen and self._fault == "hang":
            os.read(os.pipe()[0], 1)
        value = -float(len(seen)) - 1 / clash.VERSION
        scores = tuple(ContinuationScore(value * (n + 1), n + 1) for n in range(len(ask.continuations)))
        return ScoreAnswer(scores, heard=f"clash {clash.VERSION}")

    def reply(self, asks):
        text = 5 if self._fault == "shape" else f"clash {clash.VERSION}"
        tone = np.sin(np.arange(4_000) / 10).astype(np.float32) / 4
        clip = AudioClip.from_samples(tone, 16_000)
        return [ReplyAnswer(text, clip if ask.speech else None) for ask in asks]

    def close(self):
        pass
"""
ENTRY_POINTS = "[speechzoo]\nclash = speechzoo_clash\n"
METADATA = "Metadata-Version: 2.1\nName: speechzoo-clash\nVersion: 0.1.0\n"


def install_here(site: Path) -> None:
    """The plugin, and version 5 of what it needs, in a folder for the path."""
    about = site / "speechzoo_clash-0.1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(METADATA)
    (about / "entry_points.txt").write_text(ENTRY_POINTS)
    (site / "speechzoo_clash.py").write_text(PLUGIN)
    (site / "clash_model.py").write_text(MODEL)
    (site / "clash.py").write_text("VERSION = 5\n")


def publish(index: Path) -> None:
    """The plugin, and version 4 of what it needs, as wheels."""
    wheel("clash", "4.0", {"clash.py": "VERSION = 4\n"}, index)
    plugin = {"speechzoo_clash.py": PLUGIN, "clash_model.py": MODEL}
    wheel("speechzoo_clash", "0.1.0", plugin, index)
