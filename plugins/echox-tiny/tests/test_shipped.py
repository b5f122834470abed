"""What is shipped is what it is said to be: small, whole, and hears."""

import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import speechzoo_echox_tiny
from speechzoo_echox.echox import EchoX

from speechzoo import AudioClip, ScoreAnswer, ScoreAsk, loading, testing, user
from speechzoo.catalogue import open_catalogue
from speechzoo.weights import verify_files

pytestmark = pytest.mark.stack

MEGABYTES = 12
STORIES = 24
PREFIX = "Below is a segment of alternating speech and text content: "


@pytest.fixture(scope="module")
def model() -> Iterator[EchoX]:
    loading.fetch(open_catalogue().model("echox-tiny"), print)
    made = loading.load(open_catalogue().model("echox-tiny"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def plugin_under_test():
    return testing.plugin("echox-tiny")


def test_the_plugin_conforms(plugin_check):
    """A broken plugin would be set aside, or break the commands of others."""
    plugin_check()


def test_the_package_is_small_and_its_weights_are_the_registered_ones() -> None:
    """Otherwise: what everybody downloads grows unseen, or fetching ends in an error about a hash."""
    folder = Path(speechzoo_echox_tiny.__file__).parent
    entry = open_catalogue().registry.models["echox-tiny"]
    ours = next(source for source in entry.sources if hasattr(source, "path"))
    verify_files(folder / ours.path, dict(ours.files))
    assert sum(path.stat().st_size for path in (folder / ours.path).iterdir()) < MEGABYTES * 1e6


def test_text_is_scored_as_by_the_llm_it_was_made_from(model: EchoX) -> None:
    """Otherwise: the report charges the model with having forgotten what was never trained."""
    loading.fetch(open_catalogue().model("smollm2-135m"), print)
    base = loading.load(open_catalogue().model("smollm2-135m"))
    asks = [ScoreAsk((user(story["first"]),), (f" {story['last']}",)) for story in stories()]
    for ours, theirs in zip(losses(model, asks), losses(base, asks), strict=True):
        assert ours == pytest.approx(theirs, abs=1e-3)


def test_it_hears(model: EchoX) -> None:
    """Otherwise: the only speech LLM that everybody can run answers without listening."""
    told = list(stories())

    def right(shift: int) -> int:
        """Stories whose ending is likelier than the next story's, after the clip so many further on."""
        asks = [
            ScoreAsk(
                (user(PREFIX, told[(place + shift) % len(told)]["clip"]),),
                (story["last"], told[(place + 1) % len(told)]["last"]),
            )
            for place, story in enumerate(told)
        ]
        found = iter(losses(model, asks))
        return sum(own < other for own, other in zip(found, found, strict=True))

    assert right(0) - right(2) >= 0.15 * len(told)


def stories() -> Iterator[dict[str, Any]]:
    """Of s2sbench-mini, each of another set, with its ending and its clip."""
    folder = Path(str(files("speechzoo_s2sbench"))) / "mini"
    told: dict[str, dict[str, Any]] = {}
    for line in (folder / "stories.jsonl").read_text(encoding="utf-8").splitlines():
        story = json.loads(line)
        told.setdefault(story["set"], {**story, "clip": AudioClip.from_file(folder / story["audio"])})
    yield from list(told.values())[:STORIES]


def losses(model: Any, asks: list[ScoreAsk]) -> list[float]:
    """Of every continuation in turn, in nats a token."""
    found = []
    for answer in model.score(asks):
        assert isinstance(answer, ScoreAnswer)
        found += [score.mean_nll for score in answer.scores]
    return found
