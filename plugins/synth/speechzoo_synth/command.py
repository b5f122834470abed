"""speechzoo synth"""

import time
from pathlib import Path
from typing import Any

import click
from speechzoo import SpeechzooError
from speechzoo.catalogue import Catalogue, open_catalogue
from speechzoo.channel import NONE, Channel
from speechzoo.cli.options import registry_option
from speechzoo.cli.progress import progress_display
from speechzoo.cli.resumable import resumable
from speechzoo.loading import Component

from speechzoo_synth.folder import Folder
from speechzoo_synth.gate import Gate
from speechzoo_synth.items import Fields
from speechzoo_synth.orders import Assign
from speechzoo_synth.sources import read_source
from speechzoo_synth.synthesis import Settings, describe, plan, synthesise, told_reasons

EXIT_FAILED_ITEMS = 1


def _channels(
    _context: click.Context, _option: click.Parameter, texts: tuple[str, ...]
) -> tuple[Channel, ...]:
    return tuple(dict.fromkeys(map(_channel, texts or (NONE,))))


def _channel(text: str) -> Channel:
    pairs = [pair.partition("=") for pair in text.split(",") if pair.strip() != NONE]
    if not all(equals for _, equals, _ in pairs):
        raise click.BadParameter(f"{text!r}: say {NONE}, or NAME=VALUE and commas, such as snr=10,reverb=0.3")
    return Channel.read({name.strip(): value for name, _, value in pairs})


@click.command("synth")
@click.argument("source")
@click.option(
    "--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="The folder made."
)
@click.option(
    "--voice", "voices", multiple=True, default=["piper-joe"], show_default=True, help="Who speaks. Repeat."
)
@click.option(
    "--channel",
    "channels",
    multiple=True,
    metavar="NAME=VALUE,...",
    callback=_channels,
    help="What befalls the clips: snr=10,noise=pink,reverb=0.3,codec=gsm, or none. Repeat.",
)
@click.option(
    "--assign",
    type=click.Choice(["turn", "each"]),
    default="turn",
    show_default=True,
    help="Each item by one voice through one channel, in turn, or by each through each.",
)
@click.option("--question", metavar="FIELD", default="", help="Spoken. Default: question; lm-eval's prompt.")
@click.option("--answers", metavar="FIELD", default="answers", show_default=True, help="One, or a list.")
@click.option(
    "--options", metavar="FIELD", default="options", show_default=True, help="Texts to choose from."
)
@click.option(
    "--correct", metavar="FIELD", default="correct", show_default=True, help="Index, letter or text."
)
@click.option("--attribute", "attributes", multiple=True, metavar="FIELD", help="To break down by. Repeat.")
@click.option("--read-options/--no-read-options", default=True, show_default=True, help="Are options spoken?")
@click.option("--language", default="en", show_default=True, help="Of texts and voices: ISO 639-1.")
@click.option(
    "--longest",
    type=click.FloatRange(min=1),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="Longer texts are left out.",
)
@click.option("--transcriber", default="whisper-tiny", show_default=True, help="Who checks the clips.")
@click.option(
    "--wer",
    type=click.FloatRange(min=0),
    default=0.25,
    show_default=True,
    help="Clips with more word errors are made again, then flagged.",
)
@click.option("--licence", default="unknown", show_default=True, help="Of the texts, for the manifest.")
@click.option("--limit", type=click.IntRange(min=1), help="Only so many items, drawn at random by the seed.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of turns, noise and --limit."
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Processes that speak, then listen, at the same time, each on its share of the CPUs.",
)
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1")
@click.option("--online", is_flag=True, help="The source may be downloaded.")
@registry_option
def command(
    source: str,
    out: Path,
    voices: tuple[str, ...],
    channels: tuple[Channel, ...],
    assign: Assign,
    question: str,
    answers: str,
    options: str,
    correct: str,
    attributes: tuple[str, ...],
    read_options: bool,
    language: str,
    longest: float,
    transcriber: str,
    wer: float,
    licence: str,
    limit: int | None,
    seed: int,
    jobs: int,
    device: str,
    online: bool,
    registries: tuple[Path, ...],
) -> None:
    """Turns a text task into a spoken one: a folder for 'eval --task spoken-qa --data'.

    SOURCE is a JSON Lines or Parquet file, lm-eval:TASK or lm-eval:TASK@FOLDER (of its YAML), or
    hf:OWNER/NAME@COMMIT, with /GLOB for some of its files. Texts are made fit for reading: numbers and
    symbols become words, layout becomes pauses. What cannot be spoken, such as code, formulas and tables,
    is left out, counted and listed. A transcriber listens to every clip; what it misunderstands is said
    again after a pause, slower, with more pauses and lower, as far as the voice can, and flagged
    'unintelligible' if nothing helps.

    It can be stopped at any instant: the same command takes it up again, and does nothing once all is done.

    \b
    Examples:
      speechzoo synth questions.jsonl --out spoken
      speechzoo synth questions.jsonl --out spoken --voice piper-joe --voice piper-joe-high
      speechzoo synth quiz.jsonl --out noisy --channel none --channel snr=10 --assign each
      speechzoo synth lm-eval:my_task@tasks/ --out spoken --question question
      speechzoo synth hf:OWNER/NAME@COMMIT/data/test-* --out spoken --answers answer --online
      speechzoo eval --model cascade --task spoken-qa --data spoken

    \b
    Exit codes: 0 good, 1 voice or transcriber failed at some items (the same command tries them again),
    2 usage or a malformed source, 3 plugin, package or machine, 130/143 stopped.
    """
    started = time.monotonic()
    fields = Fields(question, answers, options, correct, attributes)
    voices = tuple(dict.fromkeys(voices))
    settings = Settings(
        voices, channels, assign, read_options, language, longest, limit, seed, wer, licence, fields
    )
    with resumable("data set"):
        catalogue = open_catalogue(registries)
        ears = _required(catalogue, transcriber, "transcriber")
        for voice in voices:
            _required(catalogue, voice, "voice")
        read = read_source(source, fields, online)
        planned = plan(read.items, settings)
        about = describe(read, planned, settings, catalogue, ears)
        folder = Folder(out)
        with folder.locked():
            manifest = folder.finished(about, click.echo)
            if manifest is not None and not _failed(manifest):
                click.echo(f"{out} is finished, nothing was done: {_told(manifest)}")
                return
            gate = Gate(ears, wer, language, device, jobs)
            with progress_display() as progress:
                manifest = synthesise(planned, settings, catalogue, gate, folder, about, progress)
    _report(out, manifest, time.monotonic() - started)
    click.echo(f"{ears.name} chose these clips: a model that hears with it is favoured, see the README")
    click.echo(f"next: speechzoo eval --model cascade --task spoken-qa --data {out}")
    if failed := _failed(manifest):
        click.echo(f"{failed} items failed; the same command tries them again", err=True)
        raise SystemExit(EXIT_FAILED_ITEMS)


def _required(catalogue: Catalogue, name: str, sort: str) -> Component:
    component = catalogue.service(name)
    if component.sort != sort:
        raise SpeechzooError(f"{name} is a {component.sort}, it has to be a {sort}")
    component.require()
    return component


def _failed(manifest: dict[str, Any]) -> int:
    """How many items another try may bring."""
    return sum(one["stage"] == "speech" for one in manifest["left_out"])


def _told(manifest: dict[str, Any]) -> str:
    counts = manifest["counts"]
    return (
        f"{counts['items']} items of {counts['documents']} documents, {counts['seconds'] / 60:.1f} minutes "
        f"of speech, {counts['left_out']} left out"
    )


def _report(out: Path, manifest: dict[str, Any], seconds: float) -> None:
    counts = manifest["counts"]
    click.echo(f"{out}: {_told(manifest)}, in {seconds:.0f} s ({seconds / counts['seconds']:.2f} s a second)")
    click.echo(
        f"word error rate: mean {counts['wer_mean']:.1%}, median {counts['wer_median']:.1%}, highest "
        f"{counts['wer_highest']:.0%}; {counts['understood_exactly']} understood exactly"
    )
    if counts["first_take_wer_mean"] is not None:
        click.echo(f"before any was made again: mean {counts['first_take_wer_mean']:.1%}")
    click.echo(f"made again: {counts['made_again']}; flagged unintelligible: {counts['unintelligible']}")
    if left_out := manifest["left_out"]:
        click.echo(f"left out: {told_reasons(left_out)}; see left_out in {out / 'manifest.json'}")
    if counts["without_gold"]:
        click.echo(
            f"{counts['without_gold']} items have neither answers nor options: a judge has to rate replies"
        )
    if counts["unheard_through_channel"]:
        click.echo(
            f"{counts['unheard_through_channel']} items could not be transcribed through their channel: "
            "flagged, without channel_wer"
        )
