"""What this package brings to speechzoo."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from speechzoo import Parameter, TaskSpec, hookimpl

TARGET = "speechzoo_spoken_qa.task:SpokenQA"
OPTIONS = {
    "instruction": Parameter("", "a system message before every question"),
    "max_tokens": Parameter(256, "text tokens after which a reply is cut"),
}
RULE = {
    "rule": Parameter(
        "sound",
        "losses are stated by the sound rule or by the published one; both are printed",
        ("sound", "published"),
    )
}
# Their published rule never guesses, and figures by it can be held against others'.
COMPARABLE = {"rule": Parameter("published", RULE["rule"].help, RULE["rule"].choices)}
ANSWERS = {
    "answers": Parameter(
        "generated",
        "questions with options: the reply is read, or the options' letters are scored by likelihood",
        ("generated", "scored"),
    )
}


def _judgements(default: int) -> dict[str, Parameter]:
    return {
        "judgements": Parameter(default, "of each reply, where a judge is set; their mean or majority counts")
    }


REGION = {
    "region": Parameter(
        "usa",
        "where sd-qa's speakers are from",
        ("usa", "aus", "gbr", "ind_n", "ind_s", "irl", "kenya", "nga", "nzl", "phl", "zaf", "all"),
    )
}
FLAGGED = {
    "flagged": Parameter(
        "leave_out", "items whose recording a transcriber did not understand", ("leave_out", "keep")
    )
}
OPEN_AUDIO = ("reasoning_qa", "llama_questions", "web_questions", "trivia_qa", "alpaca_eval")
VOICEBENCH = (
    "openbookqa", "mmsu", "sd-qa", "bbh", "ifeval", "advbench",
    "alpacaeval", "alpacaeval_full", "commoneval", "wildvoice",
)  # fmt: skip
# Some fifteen seconds of speech: a small model that cannot stop speaks no longer.
OPTIONS_OF_MINI = {
    **OPTIONS,
    "max_tokens": Parameter(48, OPTIONS["max_tokens"].help),
    **COMPARABLE,
}


@hookimpl
def speechzoo_tasks() -> Sequence[TaskSpec]:
    answered = {**OPTIONS, **RULE, **_judgements(1)}
    comparable = {**answered, **COMPARABLE}
    return [
        _spec(
            "spoken-qa-mini",
            "92 short English questions of our own, answered in text or speech",
            OPTIONS_OF_MINI,
        ),
        _spec("llama-questions", "Llama Questions: general knowledge, 300 questions", comparable),
        _spec("web-questions", "Speech Web Questions: general knowledge", comparable),
        _spec("trivia-qa", "Speech TriviaQA: general knowledge", comparable),
        _spec(
            "alpaca-eval",
            "Speech AlpacaEval: requests to an assistant, rated by a judge",
            {**OPTIONS, **_judgements(1)},
        ),
        _spec(
            "openaudiobench",
            "OpenAudioBench: knowledge, reasoning and open requests",
            answered,
            subsets=OPEN_AUDIO,
        ),
        _spec(
            "voicebench",
            "VoiceBench: knowledge, reasoning, instructions, safety and open requests",
            {**OPTIONS, **RULE, **ANSWERS, **_judgements(3), **REGION},
            subsets=VOICEBENCH,
        ),
        _spec(
            "spoken-qa",
            "spoken questions of your own, such as speechzoo synth makes them: --data FOLDER",
            {**answered, **ANSWERS, **FLAGGED},
        ),
    ]


def _spec(
    name: str, summary: str, parameters: Mapping[str, Parameter], subsets: tuple[str, ...] = ()
) -> TaskSpec:
    return TaskSpec(
        name=name,
        target=TARGET,
        summary=summary,
        data=name,
        subsets=subsets,
        parameters=parameters,
        parts={"judge": "", "transcriber": "whisper-tiny", "second_transcriber": ""},
    )


@hookimpl
def speechzoo_registry() -> Path:
    return Path(__file__).parent / "registry.yaml"
