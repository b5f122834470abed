"""A checkpoint of each kind with tiny random weights: what the adapters are tested on, without a download."""

from collections.abc import Callable
from pathlib import Path

from speechzoo_hf_speech.tiny import listeners, moshi, omni

BUILDERS: dict[str, Callable[[Path], None]] = {
    "qwen2-audio": listeners.qwen2_audio,
    "voxtral": listeners.voxtral,
    "granite-speech": listeners.granite_speech,
    "audio-flamingo-3": listeners.audio_flamingo3,
    "glm-asr": listeners.glm_asr,
    "phi-4-multimodal": listeners.phi4_multimodal,
    "qwen2.5-omni": omni.qwen2_5_omni,
    "qwen3-omni": omni.qwen3_omni,
    "moshi": moshi.moshi,
}
"""By the name of the adapter; each fills a folder."""
