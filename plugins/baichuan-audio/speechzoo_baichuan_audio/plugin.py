"""What this package brings; nothing heavy is imported here."""

from collections.abc import Sequence

from speechzoo import Capability, ModelSpec, Parameter, hookimpl

BAICHUAN_AUDIO = ModelSpec(
    name="baichuan-audio",
    target="speechzoo_baichuan_audio.baichuan_audio:BaichuanAudio",
    summary="Baichuan-Audio, run by the Python code in its checkpoint: hears, reads, scores and writes",
    capabilities=frozenset(
        {
            Capability.TEXT_IN,
            Capability.AUDIO_IN,
            Capability.TEXT_OUT,
            Capability.SCORE_UNDER_TEXT,
            Capability.SCORE_UNDER_AUDIO,
            Capability.MULTI_TURN,
        }
    ),
    parameters={
        "prompt": Parameter(
            "", "replies of Base: the text before what is asked, no roles; empty: Instruct's roles"
        ),
        "temperature": Parameter(0.0, "of replies; 0 takes the likeliest token, the authors draw at 0.8"),
        "top_k": Parameter(0, "where tokens are drawn: from so many of the likeliest; 0 from all"),
        "top_p": Parameter(1.0, "where tokens are drawn: the likeliest that have this probability together"),
        "repetition_penalty": Parameter(1.0, "of replies: tokens that were there before are that much rarer"),
        "token_budget": Parameter(0, "most tokens of one forward pass; 0 chooses by device"),
    },
    needs_files=True,
    remote_code=True,
)


@hookimpl
def speechzoo_models() -> Sequence[ModelSpec]:
    return (BAICHUAN_AUDIO,)
