"""What this package brings to speechzoo."""

from collections.abc import Sequence

from speechzoo import CommandSpec, hookimpl


@hookimpl
def speechzoo_commands() -> Sequence[CommandSpec]:
    return [
        CommandSpec(
            name="arena",
            target="speechzoo_arena.arena:command",
            summary="let the systems of finished runs meet before a judge, and rate them",
        ),
        CommandSpec(
            name="judge-report",
            target="speechzoo_arena.judge_report:command",
            summary="bias, self-consistency and agreement of an arena's judges, measured or published",
        ),
        CommandSpec(
            name="vote",
            target="speechzoo_arena.vote:command",
            summary="people listen and vote, without knowing whose replies they hear",
        ),
    ]
