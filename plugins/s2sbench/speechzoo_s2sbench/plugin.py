"""What this package brings to speechzoo."""

from collections.abc import Sequence
from pathlib import Path

from speechzoo import Parameter, TaskSpec, hookimpl

TIES = Parameter(
    "reference",
    "what a tie is worth: as in the reference code (stories wrong, choices right), wrong, or half",
    ("reference", "wrong", "half"),
)
CMMLU_METRIC = Parameter(
    "pairwise",
    "choice questions: three comparisons with the right option (chance 0.5), or one choice of four",
    ("pairwise", "four_way"),
)
PROMPT_STYLE = Parameter(
    "reference",
    "strings as in the reference code, or matched: the same prefix and space for text and speech",
    ("reference", "matched"),
)
PROMPT_LANG = Parameter(
    "per_dataset",
    "strings in the data's language, or Chinese as the reference script as shipped has them for English too",
    ("per_dataset", "last_listed"),
)
NORMALISATION = Parameter(
    "token",
    "the log-likelihood is divided by tokens, by nothing (sum), by characters or by UTF-8 bytes",
    ("token", "sum", "character", "byte"),
)


@hookimpl
def speechzoo_tasks() -> Sequence[TaskSpec]:
    return [
        TaskSpec(
            name="s2sbench-mini",
            target="speechzoo_s2sbench.task:S2SBenchMini",
            summary="S2SBench's protocol on 168 story pairs and 68 choice questions of our own, in English",
            data="s2sbench-mini",
            parameters={
                "ties": TIES,
                "cmmlu_metric": CMMLU_METRIC,
                "prompt_style": PROMPT_STYLE,
                "prompt_lang": PROMPT_LANG,
                "normalisation": NORMALISATION,
            },
        )
    ]


@hookimpl
def speechzoo_registry() -> Path:
    return Path(__file__).parent / "registry.yaml"
