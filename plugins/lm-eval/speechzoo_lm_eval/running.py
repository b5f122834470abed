"""Runs of lm-eval in each mode, and the report of them all."""

from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import click
from filelock import FileLock, Timeout
from speechzoo import SpeechzooError
from speechzoo.catalogue import Catalogue, open_catalogue
from speechzoo.cli.progress import progress_display
from speechzoo.cli.report import write_reports
from speechzoo.errors import StoreError
from speechzoo.loading import Component
from speechzoo.run.describe import digest
from speechzoo.run.records import Role
from speechzoo.run.signature import parse_settings

from speechzoo_lm_eval import harness
from speechzoo_lm_eval.arms import Arm
from speechzoo_lm_eval.model import SpeechzooLM, required
from speechzoo_lm_eval.paired import make_run
from speechzoo_lm_eval.settings import EVERYTHING

FOLDER = "lm-eval"


@dataclass(frozen=True)
class Wanted:
    """The options of ``speechzoo lm-eval``, by the names of its command line."""

    model: str
    modes: tuple[str, ...]
    outputs: tuple[str, ...]
    spoken: str
    voice: str
    language: str
    transcriber: str
    answers: str
    rival: str | None
    metric: str | None
    settings: tuple[str, ...]
    out: Path | None
    device: str
    attention: str
    device_map: str | None
    trust_remote_code: bool
    dtype: str | None
    registries: tuple[Path, ...]

    @property
    def chat(self) -> bool:
        """Whether what is to be spoken can only be told by the turns of a chat."""
        return self.spoken != EVERYTHING

    def of_every_model(self) -> dict[str, Any]:
        """The arguments that the model and its rival share."""
        asking = ("spoken", "voice", "language", "transcriber", "answers")
        names = (*asking, "device", "attention", "trust_remote_code")
        return {**{name: getattr(self, name) for name in names}, "device_map": self.device_map or ""}


def run(wanted: Wanted, lm_eval_options: Sequence[str]) -> None:
    """See the command.

    Raises:
        SpeechzooError: a name, a setting or an option is none, or what is asked cannot be.
    """
    options = harness.parse(lm_eval_options, wanted.chat)
    if wanted.rival is not None and "text" not in wanted.outputs:
        raise SpeechzooError("--rival answers in text: say --output text,speech, or leave it out")
    folder = wanted.out or Path("runs") / _folder_name(wanted, options)
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    catalogue = open_catalogue(wanted.registries)
    with _locked(folder):
        lms = _models(wanted, options, catalogue, folder)
        listener = _listener(wanted, catalogue, lms[0][1].component)
        arms = [_arm(role, lm, options, folder) for role, lm in lms]
        told = harness.chosen(options, wanted.chat)
        told.pop("include_path", None)  # it says where tasks lie, not what they are
        with progress_display() as progress:
            make_run(arms, folder, catalogue.plugins, progress, wanted.metric, told, listener)
        for answerer in {id(lm.answerer): lm.answerer for _, lm in lms}.values():
            answerer.close()
    write_reports(folder)
    click.echo(f"lm-eval's own results and samples: {folder / FOLDER}")


def _models(
    wanted: Wanted, options: Namespace, catalogue: Catalogue, folder: Path
) -> list[tuple[Role, SpeechzooLM]]:
    """Each system in each of its modes; one model is loaded once."""
    own = parse_settings(wanted.settings)
    of_rival = {key.removeprefix("rival."): own.pop(key) for key in [*own] if key.startswith("rival.")}
    common = {**wanted.of_every_model(), "seed": _seed(options), "failures": "mark"}
    if size := getattr(options, "batch_size", None):
        common["batch_size"] = size

    def made(role: Role, name: str, dtype: str, settings: dict[str, str]) -> SpeechzooLM:
        record = folder / FOLDER / role
        arguments = {**common, "model": name, "dtype": dtype, "settings": settings}
        return SpeechzooLM(catalogue=catalogue, record=record, **arguments)

    model = made("model", wanted.model, wanted.dtype or "", own)
    modes = product(wanted.modes, wanted.outputs)
    lms: list[tuple[Role, SpeechzooLM]] = [("model", model.under(mode=m, output=o)) for m, o in modes]
    if wanted.rival is not None:
        rival = made("rival", wanted.rival, model.answerer.options.dtype, of_rival)
        lms += [("rival", rival.under(mode=mode)) for mode in wanted.modes]
    return lms


def _listener(wanted: Wanted, catalogue: Catalogue, model: Component) -> Component | None:
    """Tells how well what is spoken can be understood, where no recogniser of the model's own does."""
    if "speech" not in wanted.modes or any(part.sort == "transcriber" for part in model.parts.values()):
        return None
    return required(catalogue, "transcriber", wanted.transcriber)


def _arm(role: Role, lm: SpeechzooLM, options: Namespace, folder: Path) -> Arm:
    place = folder / FOLDER / f"{role}-{lm.settings.condition}"
    click.echo(f"lm-eval: {lm} ({role})", err=True)
    results = harness.run(options, lm, place)
    if doubts := lm.doubts():
        click.echo(f"lm-eval's own table is withheld: {doubts}. It is in {place / 'printed.txt'}")
    else:
        click.echo((place / "printed.txt").read_text(encoding="utf-8"))
    return Arm(lm, results, role)


def _seed(options: Namespace) -> int:
    """Of the model: the first of lm-eval's four."""
    return int(options.seed[0] or 0) if options.seed else 0


def _folder_name(wanted: Wanted, options: Namespace) -> str:
    chosen = harness.chosen(options, wanted.chat)
    tasks = "-".join(chosen["tasks"])[:60]
    deciding: list[object] = [
        wanted.model,
        wanted.rival,
        wanted.settings,
        wanted.dtype,
        wanted.of_every_model(),
        chosen,
    ]
    name = f"{wanted.model}--lm-eval-{tasks}--{digest(deciding)[:8]}"
    return "".join(c if c.isalnum() or c in "._-" else "_" for c in name)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Raises `StoreError` if another process is at work in the folder."""
    # The run itself is locked only once lm-eval is through with its part.
    try:
        with FileLock(folder / FOLDER / "lock", timeout=0):
            yield
    except Timeout as error:
        raise StoreError(f"{folder} is in use by another process") from error
