"""GLM-ASR."""

from transformers import GlmAsrForConditionalGeneration

from speechzoo_hf_speech.native import NativeLM, SpeechLLM


class GlmAsrLM(NativeLM):
    """Windows of 30 s, twenty-one of them."""

    model_class = GlmAsrForConditionalGeneration
    audio_token = "<|pad|>"
    before = "<|begin_of_audio|>"
    after = "<|end_of_audio|>"
    windows = 21


class GlmAsr(SpeechLLM):
    """GLM-ASR as a model."""

    lm_class = GlmAsrLM
