"""What this package brings to speechzoo."""

from collections.abc import Sequence

from speechzoo import CommandSpec, hookimpl


@hookimpl
def speechzoo_commands() -> Sequence[CommandSpec]:
    return [
        CommandSpec(
            name="judge-report",
            target="speechzoo_arena.judge_report:command",
            summary="bias, self-consistency and agreement of an arena's judges, measured or published",
        )
    ]
