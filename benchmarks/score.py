"""Shared-prefix scoring against other ways to the same scores: same process, same weights, same items.

    python benchmarks/score.py --options 4
    python benchmarks/score.py --options 2
    python benchmarks/score.py --text
    python benchmarks/score.py --shape 8b --device cuda --dtype bfloat16 --items 64 --threads 8

A spoken item is a WAV file of 6 to 22 s and options of 4 to 23 tokens, scored by a speech LLM with random
weights; the first way is S2SBench's loop. ``--text`` scores the items of s2sbench-mini as text with SmolLM2
135M; the first way is lm-evaluation-harness, which must be installed (``pip install lm-eval``).

The ways take turns, so that another program that slows the machine down slows all of them. Printed for
each: seconds an item (the median round), how many times as fast as the first way (median, and the range
over the rounds), the same in CPU time, the largest difference from the first way of a log-likelihood's
mean a token and of its sum, in nats, and how many items have the same winner.
"""

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import click
import torch
from other_ways import Harness, option_by_option, packed_rows
from random_speech_lm import SHAPES, RandomSpeechLM, spoken_items

from speechzoo import Condition, ScoreAnswer, Setup
from speechzoo.catalogue import open_catalogue
from speechzoo.lm import CausalLM, default_token_budget, score
from speechzoo.loading import load

Way = Callable[[], Sequence[ScoreAnswer]]


@dataclass(frozen=True)
class Timing:
    answers: Sequence[ScoreAnswer]
    seconds: float
    cpu_seconds: float


@click.command()
@click.option("--shape", type=click.Choice(list(SHAPES)), default="small", show_default=True)
@click.option("--text", is_flag=True, help="Text items, against lm-evaluation-harness.")
@click.option("--options", default=4, show_default=True, help="Of a spoken item.")
@click.option("--items", default=12, show_default=True)
@click.option("--rounds", default=3, show_default=True)
@click.option("--device", default="cpu", show_default=True)
@click.option("--dtype", default="float32", show_default=True)
@click.option("--threads", default=1, show_default=True, help="CPU cores that every way may use.")
def main(
    shape: str, text: bool, options: int, items: int, rounds: int, device: str, dtype: str, threads: int
) -> None:
    use_cores(threads)
    with TemporaryDirectory() as folder:
        if text:
            ways = text_ways(items, device, dtype)
        else:
            ways = spoken_ways(shape, Path(folder), items, options, device, dtype)
        for way in ways.values():  # what is done only the first time belongs to none of them
            way()
        measured = [{name: timed(way) for name, way in ways.items()} for _ in range(rounds)]
    show(measured)


def use_cores(count: int) -> None:
    """Binds the process, so that decoding ahead in threads gets no core that the first way has not."""
    torch.set_num_threads(count)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def spoken_ways(
    shape: str, folder: Path, count: int, options: int, device: str, dtype: str
) -> Mapping[str, Way]:
    lm = RandomSpeechLM(shape, device, dtype)
    items = spoken_items(folder, count, options, lm.model.config.vocab_size)
    budget = default_token_budget(lm.device)
    return {
        "option by option": lambda: option_by_option(lm, items),
        "speechzoo": lambda: score(lm, [item.ask() for item in items], budget),
        "packed rows": lambda: packed_rows(lm, [item.ask() for item in items], budget),
    }


def text_ways(count: int, device: str, dtype: str) -> Mapping[str, Way]:
    catalogue = open_catalogue()
    component = catalogue.model("smollm2-135m")
    component.require()
    lm = CausalLM.load(Setup(component.name, component.folder, device=device, dtype=dtype))
    task = load(catalogue.task("s2sbench-mini"))
    asks = [task.ask(item, Condition.T2T) for item in list(task.items())[-count:]]
    budget = default_token_budget(lm.device)
    one, eight = Harness(lm, 1), Harness(lm, 8)
    logging.disable(logging.WARNING)
    return {
        "lm-eval, batch 1": lambda: one.score(asks),
        "lm-eval, batch 8": lambda: eight.score(asks),
        "speechzoo": lambda: score(lm, asks, budget),
        "packed rows": lambda: packed_rows(lm, asks, budget),
    }


def timed(way: Way) -> Timing:
    start, cpu_start = time.perf_counter(), time.process_time()
    answers = way()
    return Timing(answers, time.perf_counter() - start, time.process_time() - cpu_start)


def show(rounds: Sequence[Mapping[str, Timing]]) -> None:
    first, *_ = rounds[0]
    reference = rounds[0][first].answers
    print(
        f"{'':18}{'s an item':>10}{'times as fast':>22}{'in CPU time':>13}"
        f"{'mean differs':>14}{'sum differs':>13}{'same winner':>13}"
    )
    for name in rounds[0]:
        seconds = median(one[name].seconds for one in rounds) / len(reference)
        faster = [one[first].seconds / one[name].seconds for one in rounds]
        cpu = median(one[first].cpu_seconds / one[name].cpu_seconds for one in rounds)
        answers = [answer for one in rounds for answer in one[name].answers]
        pairs = list(zip(answers, [*reference] * len(rounds), strict=True))
        spread = f"{median(faster):.2f} ({min(faster):.2f} to {max(faster):.2f})"
        same = sum(winner(ours) == winner(theirs) for ours, theirs in pairs)
        print(
            f"{name:18}{seconds:10.3f}{spread:>22}{cpu:13.2f}{mean_difference(pairs):14.1e}"
            f"{sum_difference(pairs):13.1e}{f'{same} of {len(pairs)}':>13}"
        )


Pairs = Sequence[tuple[ScoreAnswer, ScoreAnswer]]


def mean_difference(pairs: Pairs) -> float:
    return max(
        abs(a.mean_nll - b.mean_nll)
        for one, other in pairs
        for a, b in zip(one.scores, other.scores, strict=True)
    )


def sum_difference(pairs: Pairs) -> float:
    return max(
        abs(a.log_likelihood - b.log_likelihood)
        for one, other in pairs
        for a, b in zip(one.scores, other.scores, strict=True)
    )


def winner(answer: ScoreAnswer) -> int:
    losses = [one.mean_nll for one in answer.scores]
    return losses.index(min(losses))


if __name__ == "__main__":
    main()
