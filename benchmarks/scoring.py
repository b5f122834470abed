"""Shared-prefix scoring against the plain loop: same process, same weights, same items.

    python benchmarks/scoring.py --items 236

Prints seconds an item of both, their ratio, the largest difference of a log-likelihood and whether
every item has the same winner. Items are s2sbench-mini's as text, the model is SmolLM2 135M in float32.
"""

import time
from collections.abc import Callable

import click

from speechzoo import Condition, ScoreAnswer, Setup
from speechzoo.catalogue import open_catalogue
from speechzoo.lm import CausalLM, default_token_budget, score, score_plainly
from speechzoo.loading import load


@click.command()
@click.option("--items", default=236, show_default=True)
@click.option("--rounds", default=2, show_default=True, help="The best of so many is printed.")
def main(items: int, rounds: int) -> None:
    catalogue = open_catalogue()
    component = catalogue.model("smollm2-135m")
    component.require()
    lm = CausalLM.load(Setup(component.name, component.folder))
    task = load(catalogue.task("s2sbench-mini"))
    asks = [task.ask(item, Condition.T2T) for item in list(task.items())[-items:]]
    budget = default_token_budget(lm.device)

    # In turns, so that another program that slows the machine down for a while slows both.
    measured = [
        (timed(lambda: score(lm, asks, budget)), timed(lambda: [score_plainly(lm, ask) for ask in asks]))
        for _ in range(rounds)
    ]
    (shared, _), (plain, _) = measured[0]
    shared_seconds, plain_seconds = (
        min(seconds for _, seconds in runs) for runs in zip(*measured, strict=True)
    )

    pairs = list(zip(shared, plain, strict=True))
    difference = max(
        abs(a.log_likelihood - b.log_likelihood)
        for ours, theirs in pairs
        for a, b in zip(ours.scores, theirs.scores, strict=True)
    )
    same = sum(winner(ours) == winner(theirs) for ours, theirs in pairs)
    print(f"plain loop      {plain_seconds / len(asks):.3f} s an item")
    print(f"shared prefix   {shared_seconds / len(asks):.3f} s an item")
    print(f"ratio           {plain_seconds / shared_seconds:.2f}")
    print(f"largest difference of a log-likelihood: {difference:.1e} nats")
    print(f"same winner on {same} of {len(asks)} items")


def timed(run: Callable[[], list[ScoreAnswer]]) -> tuple[list[ScoreAnswer], float]:
    start = time.perf_counter()
    answers = run()
    return answers, time.perf_counter() - start


def winner(answer: ScoreAnswer) -> int:
    losses = [one.mean_nll for one in answer.scores]
    return losses.index(min(losses))


if __name__ == "__main__":
    main()
