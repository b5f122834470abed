"""What this package brings to speechzoo."""

from collections.abc import Sequence
from pathlib import Path

from speechzoo import CommandSpec, Parameter, TaskSpec, hookimpl

OPTIONS = {
    "ties": Parameter(
        "reference",
        "what a tie is worth: as in the reference code (stories wrong, choices right), wrong, or half",
        ("reference", "wrong", "half"),
    ),
    "cmmlu_metric": Parameter(
        "pairwise",
        "choice questions: three comparisons with the right option (chance 0.5), or one choice of four",
        ("pairwise", "four_way"),
    ),
    "prompt_style": Parameter(
        "reference",
        "strings as in the reference code, or matched: the same prefix and space for text and speech",
        ("reference", "matched"),
    ),
    "prompt_lang": Parameter(
        "per_dataset",
        "strings in the data's language, or Chinese for all, as the reference script runs as shipped",
        ("per_dataset", "last_listed"),
    ),
    "length_denominator": Parameter(
        "continuation_tokens",
        "mean loss over the tokens scored, or with them the context's audio tokens (reference_mask)",
        ("continuation_tokens", "reference_mask"),
    ),
    "loss_dtype": Parameter(
        "float32",
        "sums as the model gives them, or rounded to bfloat16 as the reference most likely had them",
        ("float32", "bfloat16"),
    ),
    "normalisation": Parameter(
        "token",
        "the log-likelihood is divided by tokens, nothing (sum), characters or UTF-8 bytes, or it is taken "
        "less that without the context (unconditional)",
        ("token", "sum", "character", "byte", "unconditional"),
    ),
    "context_audio": Parameter(
        "own",
        "story pairs: each continuation after its own record's clip, or both after the plausible one's",
        ("own", "positive"),
    ),
    "pairing": Parameter(
        "checked",
        "story records: pairs 2k, 2k + 1 or an error; neighbours by key; or 2k, 2k + 1 and the rest left out",
        ("checked", "sorted_adjacent", "parity"),
    ),
    "chat_wrap": Parameter(False, "wrap the context in the model's chat template"),
    "subjects": Parameter("", "JSON Lines with uttid and subject of choice questions, for the breakdown"),
}


@hookimpl
def speechzoo_tasks() -> Sequence[TaskSpec]:
    return [
        TaskSpec(
            name="s2sbench",
            target="speechzoo_s2sbench.task:S2SBench",
            summary="S2SBench: is the plausible continuation the likelier one, after text and after speech?",
            data="s2sbench",
            subsets=("sstorycloze", "zh-sstorycloze", "scmmlu"),
            parameters=OPTIONS,
            parts={"voice": ""},
        ),
        TaskSpec(
            name="s2sbench-mini",
            target="speechzoo_s2sbench.task:S2SBenchMini",
            summary="S2SBench's protocol on 168 story pairs and 68 choice questions of our own, in English",
            data="s2sbench-mini",
            subsets=("stories", "choices"),
            parameters=OPTIONS,
            parts={"voice": ""},
        ),
    ]


@hookimpl
def speechzoo_registry() -> Path:
    return Path(__file__).parent / "registry.yaml"


@hookimpl
def speechzoo_commands() -> Sequence[CommandSpec]:
    return [
        CommandSpec(
            name="s2sbench-import",
            target="speechzoo_s2sbench.command:command",
            summary="make a run of losses that S2SBench's reference code wrote",
        )
    ]
