"""What this package brings to speechzoo."""

from collections.abc import Sequence

from speechzoo import CommandSpec, hookimpl


@hookimpl
def speechzoo_commands() -> Sequence[CommandSpec]:
    return [
        CommandSpec(
            name="synth",
            target="speechzoo_synth.command:command",
            summary="turn a text task into a spoken one, each clip checked by a transcriber",
        )
    ]
