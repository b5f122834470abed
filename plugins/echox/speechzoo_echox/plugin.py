"""What this package brings; nothing heavy is imported here."""

from collections.abc import Sequence
from pathlib import Path

from speechzoo import Capability, ModelSpec, Parameter, hookimpl

ECHOX = ModelSpec(
    name="echox",
    target="speechzoo_echox.echox:EchoX",
    summary="EchoX speech-to-speech LLMs: score, write, speak and stream",
    capabilities=frozenset(
        {
            Capability.TEXT_IN,
            Capability.AUDIO_IN,
            Capability.TEXT_OUT,
            Capability.SPEECH_OUT,
            Capability.SCORE_UNDER_TEXT,
            Capability.SCORE_UNDER_AUDIO,
            Capability.MULTI_TURN,
            Capability.STREAM,
        }
    ),
    parameters={
        "temperature": Parameter(0.0, "of replies; 0 takes the likeliest token, the authors draw at 0.2"),
        "top_p": Parameter(0.9, "where tokens are drawn: the likeliest that have this probability together"),
        "answer_bos": Parameter(True, "chat scores: the beginning-of-text token stands before the answer"),
        "score_eot": Parameter(
            False, "chat scores: the end-of-turn token after the answer is scored with it"
        ),
        "unit_tokens_only": Parameter(False, "digits in stray text tokens are not read as speech units"),
        "max_unit_tokens": Parameter(2048, "of a segment of a spoken reply; a longer one is truncated"),
        "token_budget": Parameter(0, "most tokens of one forward pass; 0 chooses by device"),
    },
    # Without it, the checkpoint's own sub-folder whisper-large-v3.
    parts={"whisper": ""},
    # For one that is fetched in parts; a published checkpoint is whole.
    prepare="speechzoo_echox.assembly:assemble",
    needs_files=True,
)

WHISPER = ModelSpec(
    name="whisper-encoder",
    target="speechzoo_echox.whisper:Whisper",
    summary="The encoder of a Whisper checkpoint, as EchoX's part whisper: no model to evaluate",
    needs_files=True,
)


@hookimpl
def speechzoo_models() -> Sequence[ModelSpec]:
    return (ECHOX, WHISPER)


@hookimpl
def speechzoo_registry() -> Path:
    return Path(__file__).parent / "registry.yaml"
