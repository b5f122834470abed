"""What this package brings to speechzoo."""

from collections.abc import Sequence

from speechzoo import CommandSpec, hookimpl


@hookimpl
def speechzoo_commands() -> Sequence[CommandSpec]:
    return [
        CommandSpec(
            name="lm-eval",
            target="speechzoo_lm_eval.command:command",
            summary="run tasks of lm-evaluation-harness, read and heard, and report what hearing costs",
        ),
        CommandSpec(
            name="lm-eval-path",
            target="speechzoo_lm_eval.path_command:command",
            summary="print the folder of speechzoo's tasks for 'lm-eval --include_path'",
        ),
    ]
