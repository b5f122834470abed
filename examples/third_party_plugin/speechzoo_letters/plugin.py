"""What this package brings; light, as speechzoo reads it on every ``speechzoo list``."""

from speechzoo import Capability, ModelSpec, Parameter, TaskSpec, hookimpl


@hookimpl
def speechzoo_models() -> list[ModelSpec]:
    can = {Capability.TEXT_IN, Capability.AUDIO_IN}
    can |= {Capability.SCORE_UNDER_TEXT, Capability.SCORE_UNDER_AUDIO}
    return [
        ModelSpec(
            name="letters",
            target="speechzoo_letters.model:LetterModel",
            summary="a letter n-gram that learns from its context alone",
            capabilities=frozenset(can),
            parameters={"order": Parameter(3, "letters looked back at")},
            parts={"transcriber": "whisper-tiny"},
        )
    ]


@hookimpl
def speechzoo_tasks() -> list[TaskSpec]:
    return [
        TaskSpec(
            name="echoes",
            target="speechzoo_letters.task:Echoes",
            summary="which of two words was just mentioned?",
        )
    ]
