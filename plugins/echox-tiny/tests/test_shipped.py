"""What is shipped is what it is said to be: small, whole, and hears."""

import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import pytest
import speechzoo_echox_tiny
import torch
from safetensors.torch import load_file
from speechzoo_echox import converted_whisper
from speechzoo_echox.assembly import EARS, LLM, TRAINED, WHISPER
from speechzoo_echox.echox import EchoX
from speechzoo_echox.tensors import TensorFiles

from speechzoo import AudioClip, Failure, ScoreAnswer, ScoreAsk, loading, testing, user
from speechzoo.catalogue import open_catalogue
from speechzoo.loading import Component
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


def test_its_parts_are_the_base_ones_and_what_they_learned(model: EchoX, tmp_path: Path) -> None:
    """Otherwise: forgetting is charged to a model that is another than the one that was trained."""
    catalogue = open_catalogue()
    llm, whisper, joined = (
        home(part)
        for part in (
            catalogue.model("smollm2-135m"),
            catalogue.service("whisper-tiny"),
            catalogue.model("echox-tiny"),
        )
    )
    learned = load_file(Path(speechzoo_echox_tiny.__file__).parent / "weights" / TRAINED)
    converted_whisper.convert(whisper / "model.bin", tmp_path)
    ears = (converted_whisper.read(folder) for folder in (tmp_path, joined / EARS))
    assert learned_in(*ears, learned, WHISPER) == 6 * 4
    base, ours = (
        TensorFiles(folder).part("model.", torch.float32, torch.device("cpu")) for folder in (llm, joined)
    )
    before, after = ({f"model.{name}": own for name, own in part.items()} for part in (base, ours))
    assert learned_in(before, after, learned, LLM) == 7 * 8


def learned_in(
    before: dict[str, torch.Tensor],
    after: dict[str, torch.Tensor],
    learned: dict[str, torch.Tensor],
    part: str,
) -> int:
    """How many weights have what was learned added to them; the others are as they were."""
    ups = {name.removesuffix(".up") for name in learned if name.startswith(part) and name.endswith(".up")}
    found = 0
    for name, weight in before.items():
        module = f"{part}{name.removesuffix('.weight')}"
        if module in ups:
            added = learned[f"{module}.up"].float() @ learned[f"{module}.down"].float()
            assert added.abs().max() > 0
            found += 1
            # The LLM is stored in bfloat16.
            torch.testing.assert_close(after[name], weight + added, rtol=2**-8, atol=1e-6)
        else:
            assert torch.equal(after[name], weight), name
    assert found == len(ups), "something was learned that is nowhere"
    return found


def test_it_hears(model: EchoX) -> None:
    """Otherwise: the only speech LLM that everybody can run answers without listening."""
    told = list(stories())

    def ending(place: int) -> str:
        return str(told[place % len(told)]["last"])

    # After each clip its own story's ending and the next one's; of the story two before, likewise.
    asks = [
        ScoreAsk((user(PREFIX, story["clip"]),), tuple(ending(place + by) for by in (0, 1, -2, -1)))
        for place, story in enumerate(told)
    ]
    heard = [losses(answer) for answer in model.score(asks)]
    own = [loss[1] - loss[0] for loss in heard]
    anothers = [loss[3] - loss[2] for loss in heard[2:] + heard[:2]]
    right, guessed = (sum(margin > 0 for margin in margins) for margins in (own, anothers))
    assert right - guessed >= 0.15 * len(told)
    more = [one - other for one, other in zip(own, anothers, strict=True)]
    assert mean(more) > 2.5 * stdev(more) / len(more) ** 0.5


def home(component: Component) -> Path:
    loading.fetch(component, print)
    assert component.folder is not None
    return component.folder


def stories() -> Iterator[dict[str, Any]]:
    """Of s2sbench-mini, each of another set, with its ending and its clip."""
    folder = Path(str(files("speechzoo_s2sbench"))) / "mini"
    told: dict[str, dict[str, Any]] = {}
    for line in (folder / "stories.jsonl").read_text(encoding="utf-8").splitlines():
        story = json.loads(line)
        told.setdefault(story["set"], {**story, "clip": AudioClip.from_file(folder / story["audio"])})
    yield from list(told.values())[:STORIES]


def losses(answer: ScoreAnswer | Failure) -> list[float]:
    """Of every continuation, in nats a token."""
    assert isinstance(answer, ScoreAnswer)
    return [score.mean_nll for score in answer.scores]
