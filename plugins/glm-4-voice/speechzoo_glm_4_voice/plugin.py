"""What this package brings; nothing heavy is imported here."""

from collections.abc import Sequence
from pathlib import Path

from speechzoo import Capability, ModelSpec, Parameter, hookimpl

_CAPABILITIES = frozenset(
    {
        Capability.TEXT_IN,
        Capability.AUDIO_IN,
        Capability.TEXT_OUT,
        Capability.SCORE_UNDER_TEXT,
        Capability.SCORE_UNDER_AUDIO,
        Capability.SCORE_SPEECH,
        Capability.MULTI_TURN,
    }
)
_PARAMETERS = {
    "temperature": Parameter(0.0, "of replies; 0 takes the likeliest token, the authors draw at 0.2"),
    "token_budget": Parameter(0, "most tokens of one forward pass; 0 chooses by device"),
}

GLM_4_VOICE = ModelSpec(
    name="glm-4-voice",
    target="speechzoo_glm_4_voice.glm_4_voice:Glm4Voice",
    summary="GLM-4-Voice without its voice: hears, reads, scores text and speech, writes",
    capabilities=_CAPABILITIES,
    parameters=_PARAMETERS,
    needs_files=True,
)

GLM_4_VOICE_SPEECH = ModelSpec(
    name="glm-4-voice-speech",
    target="speechzoo_glm_4_voice.speaking:SpeakingGlm4Voice",
    summary="GLM-4-Voice with its voice, which its authors' own code makes",
    capabilities=_CAPABILITIES | {Capability.SPEECH_OUT},
    parameters=_PARAMETERS
    | {
        "code": Parameter("", "folder of the authors' repository, with its submodules", required=True),
        "max_speech_tokens": Parameter(1500, "of a spoken reply, 12.5 a second; a longer one is truncated"),
    },
    needs_files=True,
    remote_code=True,
)


@hookimpl
def speechzoo_models() -> Sequence[ModelSpec]:
    return (GLM_4_VOICE, GLM_4_VOICE_SPEECH)


@hookimpl
def speechzoo_registry() -> Path:
    return Path(__file__).parent / "registry.yaml"
