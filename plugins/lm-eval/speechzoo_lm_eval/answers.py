"""Answers asks by a model that is loaded when it is needed, and remembers what it was asked."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict
from speechzoo import Failure, ItemError, Model, SpeechzooError, __version__
from speechzoo.asks import Answer, Ask, ask_digest
from speechzoo.loading import Component, load
from speechzoo.model import required_capabilities
from speechzoo.run.describe import digest
from speechzoo.run.evaluate import MACHINE_FAILURES
from speechzoo.run.execute import answer_batch
from speechzoo.run.progress import Progress
from speechzoo.run.records import answer_from_json, answer_to_json
from speechzoo.run.store import AppendFile, read_lines
from speechzoo.setup import LoadOptions


class Remembered(BaseModel):
    """A line of the record: what the model with all that decides its answers said to an ask."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    basis: str
    answer: dict[str, Any]


class Answerer:
    """A model behind a record of its answers.

    lm-eval's own cache would keep the NaN that stands for a failure, without its reason and for good, and
    knows neither what was heard nor what was spoken. So what speechzoo resumes from is this.

    Args:
        component: the model.
        options: how it is loaded.
        batch_size: asks of one call.
        folder: where the record lies, with spoken replies in ``audio`` beside it; None keeps it in memory.
    """

    def __init__(
        self, component: Component, options: LoadOptions, batch_size: int, folder: Path | None
    ) -> None:
        self.component = component
        self.options = options
        self._batch_size = batch_size
        self._folder = folder
        self._model: Model | None = None
        device = options.device.partition(":")[0]
        deciding = [options.dtype, options.attention, options.seed, device, __version__]
        self.identity = digest([component.identity(), *deciding])
        self._answers: dict[str, Answer | Failure] = {} if folder is None else self._read(folder)

    def answers(self, asks: Sequence[Ask], progress: Progress) -> Iterator[tuple[int, Answer | Failure]]:
        """Each ask's place and answer, as they come in; equal asks are answered once.

        Raises:
            SetupError: the model cannot be loaded.
            SpeechzooError: the model does not declare that it can be asked such things.
            StoreError: the record cannot be written.
        """
        self._refuse_beyond(asks)
        places: dict[str, list[int]] = {}
        for place, ask in enumerate(asks):
            try:
                places.setdefault(self._basis(ask), []).append(place)
            except ItemError as error:  # a clip's file is gone
                yield place, Failure(error.reason, error.detail)
        todo = [basis for basis in places if basis not in self._answers]
        progress.stage(self.component.name, len(places), len(places) - len(todo))
        for basis in places:
            if basis in self._answers:
                yield from ((place, self._answers[basis]) for place in places[basis])
        for start in range(0, len(todo), self._batch_size):
            batch = todo[start : start + self._batch_size]
            found = answer_batch(self._loaded(), [asks[places[basis][0]] for basis in batch])
            self._keep(dict(zip(batch, found, strict=True)))
            progress.advance(len(batch))
            for basis, answer in zip(batch, found, strict=True):
                yield from ((place, answer) for place in places[basis])

    def close(self) -> None:
        """Frees the model's memory; it is loaded again if it is needed again."""
        if self._model is not None:
            self._model.close()
            self._model = None

    def _loaded(self) -> Model:
        if self._model is None:
            self._model = load(self.component, self.options)
        return self._model

    def _basis(self, ask: Ask) -> str:
        return digest([self.identity, ask_digest(ask)])

    def _refuse_beyond(self, asks: Iterable[Ask]) -> None:
        needed = frozenset().union(*map(required_capabilities, asks))
        if missing := ", ".join(sorted(needed - self.component.capabilities)):
            scores = "; answers=generated tells choices from replies" if "score" in missing else ""
            raise SpeechzooError(
                f"{self.component.name} does not declare {missing}, which these tasks take: "
                f"see 'speechzoo show'{scores}"
            )

    def _read(self, folder: Path) -> dict[str, Answer | Failure]:
        return {
            line.basis: answer_from_json(line.answer, folder / "audio")
            for line in read_lines(folder / "remembered.jsonl", Remembered)
        }

    def _keep(self, answers: dict[str, Answer | Failure]) -> None:
        """Keeps answers; where the machine failed, another try may succeed."""
        final = {
            basis: answer
            for basis, answer in answers.items()
            if not (isinstance(answer, Failure) and answer.reason in MACHINE_FAILURES)
        }
        self._answers |= final
        if self._folder is None:
            return
        audio = self._folder / "audio"
        audio.mkdir(parents=True, exist_ok=True)
        file = AppendFile(self._folder / "remembered.jsonl")
        try:
            file.append([Remembered(basis=b, answer=answer_to_json(a, audio)) for b, a in final.items()])
        finally:
            file.close()
