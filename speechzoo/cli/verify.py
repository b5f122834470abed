"""speechzoo verify RUN"""

import tempfile
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console

from speechzoo.catalogue import Catalogue, open_catalogue
from speechzoo.cli.executor_options import choose_executor
from speechzoo.cli.options import registry_option
from speechzoo.cli.progress import progress_display
from speechzoo.cli.report import write_files
from speechzoo.cli.wanted import find, from_signature
from speechzoo.errors import EXIT_DIFFERS, SpeechzooError
from speechzoo.gap.invariance import invariance, write_invariance
from speechzoo.gap.invariance_findings import Invariance
from speechzoo.report.invariance import print_invariance
from speechzoo.run.evaluate import MakeExecutor
from speechzoo.run.records import Results, RunFile
from speechzoo.run.request import Request
from speechzoo.run.results import read_results
from speechzoo.run.verify import ask_in_every_way, refuse_other_components

USUAL_BATCH_TOKENS = 2048


@click.command("verify")
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--items",
    default=32,
    show_default=True,
    type=click.IntRange(min=1),
    help="So many, drawn at random by the run's seed.",
)
@click.option("--data", metavar="DIR", help="Where the run's data lies, if 'eval' was told with --data.")
@click.option(
    "--device",
    help="Of the run's kind; two (cuda:0,cuda:1) are the two workers. Default: the run's, for both workers.",
)
@click.option(
    "--trust-remote-code",
    is_flag=True,
    help="Allow Python code that lies in a checkpoint to run, if 'eval' was told to.",
)
@registry_option
def command(
    run: Path,
    items: int,
    data: str | None,
    device: str | None,
    trust_remote_code: bool,
    registries: tuple[Path, ...],
) -> None:
    """Asks a sample of a finished RUN again, and says whether the answers depend on how they are asked.

    Batches of one ask, batches of twice as many tokens, the order turned round, two workers, workers that
    are killed half way: each is held against the answers in RUN, ask by ask. Scores are identical, equal
    within the rounding of the dtype, or they differ; texts are identical or they differ. The result is kept
    in RUN as verification.json and is part of its reports from then on.

    What made the run must be what is here now: other weights, packages or data are refused.

    \b
    Example:
      speechzoo eval -m cascade -t s2sbench-mini --out runs/cascade
      speechzoo verify runs/cascade

    \b
    Exit codes: 0 nothing differs, 1 an answer differs by more than rounding, 2 usage, 3 plugin or machine.
    """
    results = read_results(run)
    _refuse_what_cannot_be_asked(results.run)
    catalogue = open_catalogue(registries)
    places = device or results.run.device
    first, workers = choose_executor(places, "local", None, None, None)
    two_workers = choose_executor(places if "," in places else f"{first} x2", "local", None, None, None)[1]
    request = _request(catalogue, results.run, data, first, trust_remote_code)
    sample = replace(request, limit=min(items, results.run.limit or items))
    found = _verify(results, sample, catalogue, workers, two_workers)
    write_invariance(run, found)
    write_files(run)
    print_invariance(found, Console(highlight=False))
    click.echo(f"report: {run / 'report.html'}")
    if not found.holds:
        raise SystemExit(EXIT_DIFFERS)


def _refuse_what_cannot_be_asked(run: RunFile) -> None:
    if run.systems["model"].dtype == "unknown":
        raise SpeechzooError("the answers of this run were imported: there is no model to ask again")
    if run.shard is not None:
        raise SpeechzooError(
            f"this is shard {run.shard}: 'speechzoo merge' all of them, and verify the whole"
        )


def _request(
    catalogue: Catalogue, run: RunFile, data: str | None, device: str, trust_remote_code: bool
) -> Request:
    """What the run's signature stands for today.

    Raises:
        SpeechzooError: a name is unknown, or what it stands for is not what made the run.
    """
    wanted = replace(from_signature(run.signature), data=data)
    found = find(catalogue, wanted, online=False)
    if missing := [role for role in run.systems if role not in found.systems]:
        raise SpeechzooError(f"the run's {missing[0]} cannot be had: {'; '.join(found.notes)}")
    request = Request(
        systems={role: found.systems[role] for role in run.systems},
        task=found.task,
        channel=wanted.channel,
        voice=found.voice,
        conditions=run.conditions,
        device=device,
        dtype=run.systems["model"].dtype,
        attention=wanted.attention,
        device_map=run.environment.get("device map", ""),
        trust_remote_code=trust_remote_code,
        seed=run.seed,
        batch_tokens=int(run.environment.get("batch tokens", USUAL_BATCH_TOKENS)),
    )
    refuse_other_components(run, request)
    return request


def _verify(
    run: Results, request: Request, catalogue: Catalogue, workers: MakeExecutor, two_workers: MakeExecutor
) -> Invariance:
    judgements = run.folder / "judgements.jsonl"
    # What the judge was paid is a ceiling that is reached: for answers that differ it is not paid again.
    request = replace(request, max_judge_cost=run.judging.usage.cost if run.judging else None)
    with tempfile.TemporaryDirectory(prefix="speechzoo-verify-") as scratch, progress_display() as progress:
        ways = ask_in_every_way(
            request,
            catalogue.plugins,
            progress,
            Path(scratch),
            workers,
            two_workers,
            judgements if judgements.exists() else None,
        )
        return invariance(run, ways)
