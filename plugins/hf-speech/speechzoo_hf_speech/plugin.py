"""What this package brings; nothing heavy is imported here."""

from collections.abc import Sequence
from pathlib import Path

from speechzoo import Capability, ModelSpec, Parameter, hookimpl

_HEARS = frozenset(
    {
        Capability.TEXT_IN,
        Capability.AUDIO_IN,
        Capability.TEXT_OUT,
        Capability.SCORE_UNDER_TEXT,
        Capability.SCORE_UNDER_AUDIO,
        Capability.MULTI_TURN,
    }
)
_PARAMETERS = {
    "temperature": Parameter(0.0, "of replies; 0 takes the likeliest token"),
    "token_budget": Parameter(0, "most tokens of one forward pass; 0 chooses by device"),
}


def _listener(name: str, target: str, summary: str) -> ModelSpec:
    """Hears and reads, scores and writes."""
    target = f"speechzoo_hf_speech.{target}"
    return ModelSpec(name, target, summary, _HEARS, _PARAMETERS, needs_files=True)


LISTENERS = (
    _listener("qwen2-audio", "qwen2_audio:Qwen2Audio", "Qwen2-Audio: clips of up to 30 s"),
    _listener("voxtral", "voxtral:Voxtral", "Voxtral: windows of 30 s"),
    _listener("granite-speech", "granite_speech:GraniteSpeech", "Granite-Speech: its LoRA only under audio"),
    _listener("audio-flamingo-3", "audio_flamingo3:AudioFlamingo3", "Audio-Flamingo-3: windows of 30 s"),
    _listener("glm-asr", "glm_asr:GlmAsr", "GLM-ASR: windows of 30 s"),
    _listener("phi-4-multimodal", "phi4_multimodal:Phi4Multimodal", "Phi-4-multimodal, speech and text"),
)


def _speaker(name: str, target: str, summary: str, speaker: str) -> ModelSpec:
    """Speaks as well."""
    parameters = {
        "speaker": Parameter(speaker, "whose voice replies have"),
        "max_speech_tokens": Parameter(4096, "of a spoken reply; a longer one is truncated"),
        "token_budget": _PARAMETERS["token_budget"],
    }
    capabilities = _HEARS | {Capability.SPEECH_OUT}
    target = f"speechzoo_hf_speech.{target}"
    return ModelSpec(name, target, summary, capabilities, parameters, needs_files=True)


SPEAKERS = (
    _speaker("qwen2.5-omni", "qwen2_5_omni:Qwen25Omni", "Qwen2.5-Omni: hears, writes and speaks", "Chelsie"),
    _speaker("qwen3-omni", "qwen3_omni:Qwen3Omni", "Qwen3-Omni: hears, writes and speaks", "ethan"),
)

MOSHI = ModelSpec(
    name="moshi",
    target="speechzoo_hf_speech.moshi:Moshi",
    summary="Moshi: listens and speaks at once; no scores, a single turn",
    capabilities=frozenset({Capability.AUDIO_IN, Capability.TEXT_OUT, Capability.SPEECH_OUT}),
    parameters={
        "seconds": Parameter(20.0, "after which a reply that has not ended is truncated"),
        "sample": Parameter(False, "draws replies at the authors' temperatures, instead of the likeliest"),
    },
    needs_files=True,
)


@hookimpl
def speechzoo_models() -> Sequence[ModelSpec]:
    return (*LISTENERS, *SPEAKERS, MOSHI)


@hookimpl
def speechzoo_registry() -> Path:
    return Path(__file__).parent / "registry.yaml"
