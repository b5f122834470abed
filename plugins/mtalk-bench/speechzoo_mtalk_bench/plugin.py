"""What this package brings to speechzoo."""

from collections.abc import Sequence
from pathlib import Path

from speechzoo import CommandSpec, Parameter, TaskSpec, hookimpl

OPTIONS = {
    "history": Parameter(
        "text",
        "how the model's own replies stand before its next, where it has both: as text or as speech",
        ("text", "speech"),
    ),
    "max_tokens": Parameter(256, "text tokens after which a reply is cut"),
    "system_prompt": Parameter("", "a system prompt before the first turn"),
    "cues": Parameter(
        "text",
        "who is told the transcription's bracketed cues: judges that read (text), all, or none",
        ("text", "all", "none"),
    ),
    "rubric_average": Parameter(
        "dialogues",
        "the share of satisfied criteria is averaged over dialogues, or over criteria",
        ("dialogues", "criteria"),
    ),
    "per_turn": Parameter(False, "each turn is judged by itself; so is a dialogue too long for the judge"),
    "capabilities": Parameter("", "JSON Lines with type, number and capability, for the breakdown"),
}
# Some twenty seconds of speech: a small model that cannot stop speaks no longer.
OPTIONS_OF_MINI = {**OPTIONS, "max_tokens": Parameter(64, OPTIONS["max_tokens"].help)}
SUBSETS = ("semantic", "paralinguistic", "ambient")


@hookimpl
def speechzoo_tasks() -> Sequence[TaskSpec]:
    return [
        TaskSpec(
            name="mtalk-bench",
            target="speechzoo_mtalk_bench.task:MTalkBench",
            summary="MTalk-Bench: spoken dialogues of several turns, judged by criteria",
            data="mtalk-bench",
            subsets=SUBSETS,
            parameters=OPTIONS,
            parts={"judge": "", "transcriber": "whisper-tiny"},
        ),
        TaskSpec(
            name="mtalk-mini",
            target="speechzoo_mtalk_bench.task:MTalkBench",
            summary="MTalk-Bench's protocol on 12 dialogues of our own, with a judge that reads",
            data="mtalk-mini",
            subsets=SUBSETS,
            parameters=OPTIONS_OF_MINI,
            parts={"judge": "local-judge", "transcriber": "whisper-tiny"},
        ),
    ]


@hookimpl
def speechzoo_registry() -> Path:
    return Path(__file__).parent / "registry.yaml"


@hookimpl
def speechzoo_commands() -> Sequence[CommandSpec]:
    return [
        CommandSpec(
            name="mtalk-import",
            target="speechzoo_mtalk_bench.command:command",
            summary="make runs of replies that systems gave to MTalk-Bench elsewhere",
        ),
        CommandSpec(
            name="mtalk-export",
            target="speechzoo_mtalk_bench.export:command",
            summary="write runs as the file of replies that MTalk-Bench's code reads",
        ),
    ]
