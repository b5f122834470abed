"""What this package brings; nothing heavy is imported here."""

from collections.abc import Sequence
from pathlib import Path

from speechzoo import Capability, ModelSpec, Parameter, hookimpl

KIMI_AUDIO = ModelSpec(
    name="kimi-audio",
    target="speechzoo_kimi_audio.kimi_audio:KimiAudioModel",
    summary="Kimi-Audio, run by its authors' package kimia_infer: hears, reads, scores, writes and speaks",
    capabilities=frozenset(
        {
            Capability.TEXT_IN,
            Capability.AUDIO_IN,
            Capability.TEXT_OUT,
            Capability.SPEECH_OUT,
            Capability.SCORE_UNDER_TEXT,
            Capability.SCORE_UNDER_AUDIO,
            Capability.MULTI_TURN,
        }
    ),
    parameters={
        "code": Parameter("", "folder of the authors' repository; empty: kimia_infer is installed"),
        "text_temperature": Parameter(0.0, "of a reply's text; 0 takes the likeliest token"),
        "audio_temperature": Parameter(0.8, "of a reply's speech, as in the authors' demo"),
        "audio_top_k": Parameter(10, "speech is drawn from so many of the likeliest tokens"),
        "detokenizer": Parameter(
            True, "loads what makes speech; False where scores or texts alone are wanted"
        ),
    },
    requires=("torch",),
    needs_files=True,
    remote_code=True,
)


@hookimpl
def speechzoo_models() -> Sequence[ModelSpec]:
    return (KIMI_AUDIO,)


@hookimpl
def speechzoo_registry() -> Path:
    return Path(__file__).parent / "registry.yaml"
