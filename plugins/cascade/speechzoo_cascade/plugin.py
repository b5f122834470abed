"""What this package brings; nothing heavy is imported here."""

from collections.abc import Sequence

from speechzoo import Capability, ModelSpec, Parameter, ServiceSpec, hookimpl

_ANSWERS = ("scored", "written")

TEXT_LLM = ModelSpec(
    name="text-llm",
    target="speechzoo_cascade.text_llm:TextLLM",
    summary="Any causal LM of transformers: scores text, replies in text",
    capabilities=frozenset(
        {Capability.TEXT_IN, Capability.TEXT_OUT, Capability.SCORE_UNDER_TEXT, Capability.MULTI_TURN}
    ),
    parameters={
        "temperature": Parameter(0.0, "of replies; 0 takes the likeliest token"),
        "token_budget": Parameter(0, "most tokens of one forward pass; 0 chooses by device"),
    },
    prepare="speechzoo.lm.gguf:convert",
    needs_files=True,
)

CASCADE = ModelSpec(
    name="cascade",
    target="speechzoo_cascade.cascade:Cascade",
    summary="Transcriber -> text LLM -> voice: the rival every speech LLM must beat",
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
    parts={"transcriber": "whisper-tiny", "llm": "smollm2-135m", "voice": "piper-joe"},
)

WHISPER = ServiceSpec(
    name="faster-whisper",
    kind="transcriber",
    target="speechzoo_cascade.transcriber:WhisperTranscriber",
    summary="Whisper speech recognition (CTranslate2), greedy and deterministic",
    parameters={
        "language": Parameter("en", "where a clip does not tell its own: a code, or auto to detect it"),
        "beam_size": Parameter(1, "beams of the search"),
        "compute_type": Parameter("int8", "CTranslate2's: int8, float16, float32, ..."),
    },
)

PIPER = ServiceSpec(
    name="piper",
    kind="voice",
    target="speechzoo_cascade.voice:PiperVoice",
    summary="Piper speech synthesis, deterministic",
    parameters={
        "speed": Parameter(1.0, "of the speech; 2 takes half the time"),
        "pitch": Parameter(1.0, "factor of pitch and formants, at the same speed; 1.12 is a smaller speaker"),
    },
    parts={"voice": ""},
    requires=("piper-tts",),
)

JUDGE = ServiceSpec(
    name="local-judge",
    kind="judge",
    target="speechzoo_cascade.judge:LocalJudge",
    summary="Any model as a judge, by the likeliest answers or by what it writes",
    parameters={
        "answers": Parameter(
            "scored", "likeliest value of each field, or the form as it is written", _ANSWERS
        ),
        "hears": Parameter(False, "the model is given clips; otherwise transcripts"),
        "max_tokens": Parameter(512, "of a form that is written"),
    },
    parts={"llm": "smollm2-135m"},
)


@hookimpl
def speechzoo_models() -> Sequence[ModelSpec]:
    return (TEXT_LLM, CASCADE)


@hookimpl
def speechzoo_services() -> Sequence[ServiceSpec]:
    return (WHISPER, PIPER, JUDGE)
