"""speechzoo mtalk-export: runs as the JSON file that MTalk-Bench's code reads, with their audio as WAV."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import soundfile
from speechzoo import AudioClip, Condition, DialogueAnswer, Item, ReplyAnswer, SpeechzooError
from speechzoo.catalogue import open_catalogue
from speechzoo.cli.options import registry_option
from speechzoo.loading import load
from speechzoo.run.files import write_whole
from speechzoo.run.records import Results
from speechzoo.run.results import read_results
from speechzoo_arena.contest import system_names

from speechzoo_mtalk_bench.replies import TYPES
from speechzoo_mtalk_bench.rows import SUBSETS
from speechzoo_mtalk_bench.task import MTalkBench

FILE = "replies.json"
# Of the published recordings: the benchmark's code takes the first clip's format for all.
RATE = 24_000

Answers = Mapping[str, DialogueAnswer]
"""Of one system, by item."""


@click.command("mtalk-export")
@click.argument(
    "runs", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option("--data", metavar="DIR", help="MTalk-Bench's data: a folder, or HUB_ID@COMMIT.")
@click.option("--task", "name", default="mtalk-bench", show_default=True, help="What the runs are of.")
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="A new folder.")
@registry_option
def command(
    runs: tuple[Path, ...], data: str | None, name: str, out: Path, registries: tuple[Path, ...]
) -> None:
    """Writes the spoken replies (s2s) of RUNS as the JSON file and WAVs that MTalk-Bench's code reads.

    \b
    Example:
      speechzoo mtalk-export runs/mine runs/other --data MTalk-Bench --out for-the-reference
    """
    if out.exists():
        raise SpeechzooError(f"{out} is there already: choose another --out")
    # Nothing is judged here.
    task = load(open_catalogue(registries).task(name, {"judge": "", "transcriber": ""}, data))
    if not isinstance(task, MTalkBench):
        raise SpeechzooError(f"{name} is no task of MTalk-Bench: choose mtalk-bench or mtalk-mini")
    systems: dict[str, Answers] = {}
    found = [read_results(folder) for folder in runs]
    for system, results in zip(system_names(found), found, strict=True):
        systems[system] = _answers(results)
        if not systems[system]:
            raise SpeechzooError(f"{results.folder} holds no spoken replies (s2s) to dialogues")
    write_replies(out, task.items(), systems)
    click.echo(f"replies: {out / FILE}")


def write_replies(out: Path, items: Sequence[Item], systems: Mapping[str, Answers]) -> None:
    """The file and its WAVs; a turn that a system did not answer lacks the system.

    Raises:
        ItemError: a clip cannot be read.
    """
    content: dict[str, list[Any]] = {key: [] for key in TYPES}
    keys = {SUBSETS[kind]: (key, kind) for key, kind in TYPES.items()}
    for item in items:
        subset = str(item.attributes["subset"])
        key, kind = keys[subset]
        content[key].append(_dialogue(out, item, kind, item.id.removeprefix(f"{subset}-"), systems))
    write_whole(out / FILE, json.dumps(content, indent=1, ensure_ascii=False))


def _answers(results: Results) -> Answers:
    return {
        key.item: result.answer
        for key, result in results.results.items()
        if key.role == "model"
        and key.condition == Condition.S2S
        and not key.variant
        and isinstance(result.answer, DialogueAnswer)
    }


def _dialogue(
    out: Path, item: Item, kind: str, number: str, systems: Mapping[str, Answers]
) -> list[dict[str, Any]]:
    turns = []
    for place, (clip, said) in enumerate(
        zip(item.data["turns"], item.data["transcriptions"], strict=True), start=1
    ):
        name = f"record_{number}/{number}-turn{place}_{kind}.wav"
        replies: dict[str, ReplyAnswer] = {}
        for system, answers in systems.items():
            reply = answers[item.id].replies[place - 1] if item.id in answers else None
            if isinstance(reply, ReplyAnswer) and reply.clip is not None:
                replies[system] = reply
        # A system's name may hold signs that a path cannot: its place among the systems names the folder.
        folders = {system: f"system-{list(systems).index(system) + 1}" for system in replies}
        turns.append(
            {
                "question": _wav(out, f"questions/{name}", clip),
                "dialogue": {
                    system: _wav(out, f"{folders[system]}/{name}", reply.clip)
                    for system, reply in replies.items()
                    if reply.clip is not None
                },
                "question_transcription": said,
                "dialogue_transcription": {system: reply.text or "" for system, reply in replies.items()},
            }
        )
    return turns


def _wav(out: Path, path: str, clip: AudioClip) -> str:
    file = out / path
    file.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(file, clip.samples(RATE), RATE, format="WAV", subtype="PCM_16")
    return path
