"""EchoX with random weights: how fast it loads, scores, writes and speaks, and what memory it takes.

    python benchmarks/echox.py --shape tiny
    python benchmarks/echox.py --shape 8b --device cuda --dtype float16

The checkpoint has the shapes of EchoX-8B, Whisper large-v3's encoder and the vocoder, in the published
layout. It is written to a temporary folder (21 GB for 8b in 16 bits) and loaded as any other, so that loading
is measured from a disk that has just been written; --folder keeps it for the next time.

Replies and segments of speech are made to go on to their limit: what is measured is the work of so many
tokens. The labels of random weights change with every frame, so that a clip becomes some hundred vectors, a
trained model's a few dozen: scores after speech are slower here than there.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import click
import numpy as np
import psutil
import torch
import transformers
from speechzoo_echox.echox import EchoX
from speechzoo_echox.tiny import JOINED_PIECES, TINY, Shape, build

from speechzoo import AudioClip, Failure, ReplyAnswer, ReplyAsk, ScoreAnswer, ScoreAsk, Setup, raw, user
from speechzoo.lm import torch_device, torch_dtype

T = TypeVar("T")

# Llama 3.1 8B, the echo decoder "medium", Whisper large-v3, and a vocabulary as large as the published one.
EIGHT_B = Shape(
    llama={
        "hidden_size": 4096,
        "intermediate_size": 14_336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
    },
    echo={
        "hidden_size": 768,
        "intermediate_size": 2048,
        "num_hidden_layers": 8,
        "num_attention_heads": 12,
        "num_key_value_heads": 12,
    },
    whisper={"d_model": 1280, "encoder_layers": 32, "encoder_attention_heads": 20, "encoder_ffn_dim": 5120},
    vocoder=512,
    units=128,
    fillers=127_990,
    spread=0.02,
)
TWO_UNITS_A_PIECE = tuple(f"▁{n % 1000}_{(n + 1 + n // 1000) % 1000}" for n in range(8000))
SHAPES = {"tiny": (TINY, JOINED_PIECES), "8b": (EIGHT_B, TWO_UNITS_A_PIECE)}

OPTIONS = (" He went home.", " The moon was made of bread that day.", " It rained.", " She sang a song.")
CONTEXT = "Below is a segment of alternating speech and text content: "
UNIT_TOKENS_A_SEGMENT = 160
"""As long as some 35 tokens of text are in speech."""


@click.command()
@click.option("--shape", type=click.Choice(list(SHAPES)), default="tiny", show_default=True)
@click.option("--device", default="cpu", show_default=True)
@click.option("--dtype", default="float32", show_default=True)
@click.option("--items", default=8, show_default=True, help="Asked at once, each with a clip of 6 to 22 s.")
@click.option("--tokens", default=64, show_default=True, help="Of a reply's text.")
@click.option("--rounds", default=3, show_default=True, help="The fastest counts.")
@click.option("--threads", default=1, show_default=True, help="CPU cores.")
@click.option(
    "--folder", type=click.Path(path_type=Path), help="Keeps the checkpoint; one that is there is used."
)
def main(
    shape: str,
    device: str,
    dtype: str,
    items: int,
    tokens: int,
    rounds: int,
    threads: int,
    folder: Path | None,
) -> None:
    torch.set_num_threads(threads)
    # What is new of a random checkpoint is of no interest.
    logging.disable(logging.WARNING)
    transformers.logging.disable_progress_bar()
    with TemporaryDirectory() as scratch:
        place = folder or Path(scratch)
        if not (place / "config.json").exists():
            write(place, shape, device, dtype)
        model = timed_load(Setup(f"random {shape}", place, device=device, dtype=dtype))
        never_ending(model)
        clips = [noise(number) for number in range(items)]
        scores(model, clips, rounds)
        replies(model, clips, tokens, rounds)
        speech(model, clips[0], tokens, rounds)
        tell("memory at its highest", highest(device))


def write(folder: Path, shape: str, device: str, dtype: str) -> None:
    sizes, pieces = SHAPES[shape]
    with drawn_on(device, dtype), measured("written in"):
        build(folder, shape=sizes, pieces=pieces)


@contextmanager
def drawn_on(device: str, dtype: str) -> Iterator[None]:
    """8 billion normal numbers take minutes on a CPU."""
    torch.set_default_dtype(torch_dtype(dtype))
    try:
        with torch.device(torch_device(device)):
            yield
    finally:
        torch.set_default_dtype(torch.float32)
    if device != "cpu":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def timed_load(setup: Setup) -> EchoX:
    with measured(f"loaded on {named(setup.device)} in {setup.dtype} in"):
        model = EchoX(setup, answer_bos=False, max_unit_tokens=UNIT_TOKENS_A_SEGMENT)
    ears = model._lm.ears
    parts = (model._lm.model, ears.whisper.encoder, ears.adapter, model._speaker.echo, model._speaker.vocoder)
    weights = {id(weight): weight.nbytes for part in parts for weight in part.parameters()}
    tell("memory of the weights", f"{sum(weights.values()) / 1e6:.0f} MB")
    return model


def never_ending(model: EchoX) -> None:
    """Where random weights end a reply says nothing of trained ones."""
    model._lm.end_ids = []
    model._speaker.echo.end_id = -1


def scores(model: EchoX, clips: list[AudioClip], rounds: int) -> None:
    """Four options after a clip, as S2SBench asks for choice questions."""
    asks = [ScoreAsk(raw(CONTEXT, clip), OPTIONS) for clip in clips]
    answers, seconds = fastest(lambda: model.score(asks), rounds)
    good = [answer for answer in answers if isinstance(answer, ScoreAnswer)]
    scored = sum(score.tokens for answer in good for score in answer.scores)
    heard = sum(answer.scores[0].audio_tokens or 0 for answer in good) / max(1, len(good))
    tell("scored after speech", f"{len(good)} of {len(asks)} items, {heard:.0f} vectors a clip")
    tell("scoring", f"{len(good) / seconds:.2f} items/s, {scored / seconds:.0f} scored tokens/s")


def replies(model: EchoX, clips: list[AudioClip], tokens: int, rounds: int) -> None:
    asks = [ReplyAsk((user(clip),), max_tokens=tokens) for clip in clips]
    answers, seconds = fastest(lambda: model.reply(asks), rounds)
    # One that failed has no tokens.
    whole = [answer for answer in answers if isinstance(answer, ReplyAnswer) and answer.truncated]
    tell(
        "replies in text",
        f"{len(whole) * tokens / seconds:.0f} tokens/s, {len(whole)} of {len(asks)} at once",
    )


def speech(model: EchoX, clip: AudioClip, tokens: int, rounds: int) -> None:
    """One reply by itself, whole and in pieces."""
    ask = ReplyAsk((user(clip),), speech=True, max_tokens=tokens)
    [answer], seconds = fastest(lambda: model.reply([ask]), rounds)
    if isinstance(answer, Failure) or answer.clip is None:
        tell("speech", f"none: {answer}")
        return
    said = len(answer.clip.samples(16_000)) / 16_000
    tell("speech", f"{said:.1f} s of speech in {seconds:.2f} s, real-time factor {seconds / said:.2f}")
    _, first = fastest(lambda: next(piece for piece in model.stream(ask) if piece.clip is not None), rounds)
    tell("streamed", f"first sound after {first:.2f} s")


def fastest(work: Callable[[], T], rounds: int) -> tuple[T, float]:
    """What came of it, and the seconds of the fastest round after one to warm up."""
    result, times = work(), []
    for _ in range(rounds):
        begin = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - begin)
    return result, min(times)


def noise(number: int) -> AudioClip:
    """6 to 22 s at 16 kHz that swell and fade as speech does."""
    draws = np.random.default_rng(number)
    times = np.arange(round(draws.uniform(6, 22) * 16_000)) / 16_000
    loud = 0.15 * (1 + np.sin(2 * np.pi * draws.uniform(2, 5) * times))
    return AudioClip.from_samples((loud * draws.standard_normal(len(times))).clip(-1, 1).astype("f4"), 16_000)


@contextmanager
def measured(what: str) -> Iterator[None]:
    begin = time.perf_counter()
    yield
    tell(what, f"{time.perf_counter() - begin:.1f} s")


def highest(device: str) -> str:
    if device == "cpu":
        return f"{psutil.Process().memory_info().rss / 1e9:.2f} GB at the end"
    return f"{torch.cuda.max_memory_allocated(device) / 1e9:.2f} GB"


def named(device: str) -> str:
    return "cpu" if device == "cpu" else torch.cuda.get_device_name(device)


def tell(what: str, value: str) -> None:
    click.echo(f"{what:<40} {value}")


if __name__ == "__main__":
    main()
