"""The recipe's commands; each takes up its work where it was left."""

import importlib.util
from pathlib import Path

import click

from echox_tiny import features as encoded
from echox_tiny import speech as speeches
from echox_tiny import text as texts
from echox_tiny.folder import Folder

ROOT = click.argument("root", type=click.Path(path_type=Path, file_okay=False))
WORDNET = click.option(
    "--wordnet",
    type=click.Path(path_type=Path, file_okay=False),
    default="/usr/share/wordnet",
    show_default=True,
    help="Where the files of Debian's package wordnet-base are.",
)
SEED = click.option("--seed", default=0, show_default=True, help="Of every random choice.")
CLIPS = click.option("--clips", default=40_000, show_default=True, help="The first so many.")
EVERY = click.option("--every", default=500, show_default=True, help="Steps from checkpoint to checkpoint.")
STEP = click.option("--step", required=True, type=int, help="Of the checkpoint.")
DEVICE = click.option("--device", default="cpu", show_default=True, help="cpu, cuda or cuda:N.")


def _with_peft(context: click.Context, option: click.Parameter, rank: int) -> int:
    """Told before hours of training, not after them."""
    if rank and importlib.util.find_spec("peft") is None:
        raise click.BadParameter("it needs peft: pip install peft")
    return rank


RANK = click.option(
    "--lora",
    type=click.IntRange(min=1),
    default=12,
    show_default=True,
    callback=_with_peft,
    help="Rank of what Whisper and the LLM learn.",
)
LORA = click.option(
    "--lora",
    is_flag=True,
    callback=_with_peft,
    help="The run that trains Whisper and the LLM, too: in FOLDER/lora.",
)


@click.group(help=__doc__)
def main() -> None:
    pass


@main.command()
@ROOT
@WORDNET
@click.option("--stories", default=20_000, show_default=True, help="Clips that SmolLM2 writes.")
@SEED
@DEVICE
def text(root: Path, wordnet: Path, stories: int, seed: int, device: str) -> None:
    """Sentences of WordNet's glosses, and stories written by SmolLM2; nothing of the benchmarks."""
    texts.write_wordnet(Folder(root), wordnet, seed)
    texts.write_stories(Folder(root), wordnet, stories, device, seed)


@main.command()
@ROOT
@CLIPS
@SEED
def speech(root: Path, clips: int, seed: int) -> None:
    """The clips read aloud by Piper: at many pitches and paces, in noise and in silence."""
    speeches.speak(Folder(root), clips, seed)


@main.command()
@ROOT
@CLIPS
@DEVICE
def features(root: Path, clips: int, device: str) -> None:
    """What Whisper tiny's encoder makes of the clips, and when each letter is said."""
    encoded.extract(Folder(root), clips, device)


@main.command()
@ROOT
@CLIPS
@click.option("--steps", default=3000, show_default=True, help="Of 16 clips.")
@EVERY
@SEED
@DEVICE
def ctc(root: Path, clips: int, steps: int, every: int, seed: int, device: str) -> None:
    """The adapter learns which token is said when; no LLM runs."""
    from echox_tiny import ctc as first
    from echox_tiny.training import Training

    first.train(Training.begin(Folder(root), clips, device, seed), steps, every)


@main.command()
@ROOT
@CLIPS
@click.option("--first", default=3000, show_default=True, help="The step of ctc to go on from.")
@click.option("--steps", default=1000, show_default=True, help="Of 16 clips.")
@RANK
@EVERY
@SEED
@DEVICE
def tune(
    root: Path, clips: int, first: int, steps: int, lora: int, every: int, seed: int, device: str
) -> None:
    """CTC again, and Whisper's encoder learns, too; begins the run in FOLDER/lora."""
    from echox_tiny import tune as second
    from echox_tiny.training import Training

    second.train(Training.begin(Folder(root), clips, device, seed), first, steps, every, lora)


@main.command()
@ROOT
@CLIPS
@click.option("--first", default=3000, show_default=True, help="The step of ctc or tune to go on from.")
@click.option("--steps", default=500, show_default=True, help="Of 16 clips.")
@LORA
@EVERY
@SEED
@DEVICE
def match(
    root: Path, clips: int, first: int, steps: int, lora: bool, every: int, seed: int, device: str
) -> None:
    """The LLM's lower layers make of what is heard what they make of the text."""
    from echox_tiny import match as third
    from echox_tiny.training import Training

    third.train(Training.begin(Folder(root), clips, device, seed), first, steps, every, lora)


@main.command()
@ROOT
@CLIPS
@click.option("--first", default=3500, show_default=True, help="The step of match to go on from.")
@click.option("--steps", default=1000, show_default=True, help="Of 4 clips.")
@LORA
@EVERY
@SEED
@DEVICE
def distil(
    root: Path, clips: int, first: int, steps: int, lora: bool, every: int, seed: int, device: str
) -> None:
    """In the clip and after it, the LLM learns to expect what it expects of the text."""
    from echox_tiny import distil as last
    from echox_tiny.training import Training

    last.train(Training.begin(Folder(root), clips, device, seed), first, steps, every, lora)


@main.command()
@ROOT
@CLIPS
@STEP
@LORA
@DEVICE
def hears(root: Path, clips: int, step: int, lora: bool, device: str) -> None:
    """Whether held-out clips are followed by their own endings, after their own sound alone."""
    from echox_tiny import ship as shipping
    from echox_tiny.training import Training

    shipping.tell(Training.begin(Folder(root), clips, device, 0), step, lora)


@main.command()
@ROOT
@CLIPS
@STEP
@LORA
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
def ship(root: Path, clips: int, step: int, lora: bool, out: Path) -> None:
    """A checkpoint's trained weights and a registry file for them, into OUT: what a plugin has to bring."""
    from echox_tiny import ship as shipping
    from echox_tiny.training import Training

    shipping.ship(Training.begin(Folder(root), clips, "cpu", 0), step, lora, out)


@main.command(name="all")
@ROOT
@WORDNET
@click.option("--stories", default=20_000, show_default=True, help="Clips that SmolLM2 writes.")
@CLIPS
@click.option("--ctc-steps", default=3000, show_default=True)
@click.option("--tune-steps", default=1000, show_default=True)
@click.option("--match-steps", default=500, show_default=True)
@click.option("--distil-steps", default=1000, show_default=True)
@RANK
@EVERY
@SEED
@DEVICE
@click.pass_context
def everything(
    context: click.Context,
    root: Path,
    wordnet: Path,
    stories: int,
    clips: int,
    ctc_steps: int,
    tune_steps: int,
    match_steps: int,
    distil_steps: int,
    lora: int,
    every: int,
    seed: int,
    device: str,
) -> None:
    """All of it, one after the other."""
    common = {"root": root, "seed": seed}
    context.invoke(text, **common, wordnet=wordnet, stories=stories, device=device)
    context.invoke(speech, **common, clips=clips)
    context.invoke(features, root=root, clips=clips, device=device)
    trained = {**common, "clips": clips, "every": every, "device": device}
    context.invoke(ctc, **trained, steps=ctc_steps)
    context.invoke(tune, **trained, first=ctc_steps, steps=tune_steps, lora=lora)
    for learns, first in ((False, ctc_steps), (True, ctc_steps + tune_steps)):
        context.invoke(match, **trained, first=first, steps=match_steps, lora=learns)
        context.invoke(distil, **trained, first=first + match_steps, steps=distil_steps, lora=learns)


if __name__ == "__main__":
    main()
