"""What this package brings; nothing heavy is imported here."""

from collections.abc import Sequence

from speechzoo import Capability, ModelSpec, Parameter, ServiceSpec, hookimpl

CONNECTION = {
    "model": Parameter("", "as its server calls it; has to be set", required=True),
    "base_url": Parameter(
        "https://api.openai.com/v1",
        "of the server; OpenAI's key is read from OPENAI_API_KEY, another host's from SPEECHZOO_KEY_HOST",
    ),
    "timeout": Parameter(90.0, "seconds that the server may be silent", decides=False),
    "retries": Parameter(
        3, "of a request that the server could not serve: 429, 5xx, no connection", decides=False
    ),
    "parallel": Parameter(8, "requests under way at once", decides=False),
}
SENDS = {
    "sends": Parameter(
        "wav", "how clips are sent; flac is half as long, not every server takes it", ("wav", "flac")
    ),
    "max_megabytes": Parameter(20.0, "of all clips of one request as they are sent, base64", decides=False),
}

CHAT_AUDIO = ModelSpec(
    name="openai-chat-audio",
    target="speechzoo_openai.chat_audio:ChatAudio",
    summary="Chat completions with speech in and out, of OpenAI or a compatible server",
    capabilities=frozenset(
        {
            Capability.TEXT_IN,
            Capability.AUDIO_IN,
            Capability.TEXT_OUT,
            Capability.SPEECH_OUT,
            Capability.MULTI_TURN,
        }
    ),
    parameters={
        **CONNECTION,
        **SENDS,
        "voice": Parameter("alloy", "of spoken replies"),
        "speech_format": Parameter("wav", "in which speech is asked for", ("wav", "pcm16")),
        "speech_tokens": Parameter(8, "audio tokens that a spoken reply may have for each text token"),
        "temperature": Parameter(0.0, "of replies; below 0 the server's own"),
    },
)

REALTIME = ModelSpec(
    name="openai-realtime",
    target="speechzoo_openai.realtime:Realtime",
    summary="The realtime protocol over a WebSocket: speech in and out, streamed",
    capabilities=CHAT_AUDIO.capabilities | {Capability.STREAM},
    parameters={
        **CONNECTION,
        "max_megabytes": Parameter(15.0, "of one message's clips as they are sent, base64", decides=False),
        "voice": Parameter("marin", "of spoken replies"),
        "speech_tokens": Parameter(8, "audio tokens that a spoken reply may have for each text token"),
    },
)

COMPLETIONS = ModelSpec(
    name="openai-completions",
    target="speechzoo_openai.scores:Completions",
    summary="Scores under text by a server with prompt_logprobs, such as vLLM's",
    capabilities=frozenset({Capability.TEXT_IN, Capability.SCORE_UNDER_TEXT}),
    parameters=CONNECTION,
)

CHAT_SCORES = ModelSpec(
    name="openai-chat-scores",
    target="speechzoo_openai.scores:ChatScores",
    summary="The same under text and audio, every context in the chat template",
    capabilities=COMPLETIONS.capabilities | {Capability.AUDIO_IN, Capability.SCORE_UNDER_AUDIO},
    parameters={**CONNECTION, **SENDS},
)

JUDGE = ServiceSpec(
    name="openai-judge",
    kind="judge",
    target="speechzoo_openai.judge:OpenAIJudge",
    summary="A model behind chat completions fills in the form, hearing or reading",
    parameters={
        **CONNECTION,
        **SENDS,
        "hears": Parameter(True, "false for a model that only reads: it is given transcripts"),
        "longest_seconds": Parameter(300.0, "of all clips of one ask together; 0 sets no limit"),
        "temperature": Parameter(0.1, "of its answers; below 0 the server's own"),
        "max_tokens": Parameter(4096, "of one answer, what it thinks included"),
        "tries": Parameter(3, "until an answer is a valid form"),
        "structured": Parameter(False, "ask the server to keep to the form (json_schema), where it can"),
        "price_in": Parameter(-1.0, "US dollars a million tokens read; below 0 unknown", decides=False),
        "price_audio_in": Parameter(
            -1.0, "US dollars a million tokens heard; below 0 as those read", decides=False
        ),
        "price_out": Parameter(-1.0, "US dollars a million tokens answered; below 0 unknown", decides=False),
    },
)


@hookimpl
def speechzoo_models() -> Sequence[ModelSpec]:
    return (CHAT_AUDIO, REALTIME, COMPLETIONS, CHAT_SCORES)


@hookimpl
def speechzoo_services() -> Sequence[ServiceSpec]:
    return (JUDGE,)
