"""What this package brings to speechzoo."""

from collections.abc import Sequence
from pathlib import Path

from speechzoo import Parameter, TaskSpec, hookimpl


@hookimpl
def speechzoo_tasks() -> Sequence[TaskSpec]:
    return [
        TaskSpec(
            name="spoken-qa-mini",
            target="speechzoo_spoken_qa.task:SpokenQAMini",
            summary="92 short English questions of our own, answered in text or speech",
            data="spoken-qa-mini",
            parameters={
                "instruction": Parameter("", "a system message before every question"),
                "max_tokens": Parameter(48, "text tokens after which a reply is cut"),
            },
            parts={"transcriber": "whisper-tiny"},
        )
    ]


@hookimpl
def speechzoo_registry() -> Path:
    return Path(__file__).parent / "registry.yaml"
