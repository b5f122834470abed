"""Audio-Flamingo-3."""

from transformers import AudioFlamingo3ForConditionalGeneration

from speechzoo_hf_speech.native import NativeLM, SpeechLLM


class AudioFlamingo3LM(NativeLM):
    """Windows of 30 s, twenty of them."""

    model_class = AudioFlamingo3ForConditionalGeneration
    audio_token = "<sound>"
    windows = 20


class AudioFlamingo3(SpeechLLM):
    """Audio-Flamingo-3 as a model."""

    lm_class = AudioFlamingo3LM
