"""speechzoo lm-eval-path"""

from pathlib import Path

import click

FOLDER = Path(__file__).parent / "harness_tasks"


@click.command("lm-eval-path")
def command() -> None:
    """Prints the folder of speechzoo's tasks, for a plain lm-eval with an audio model class of its own.

    \b
    Example:
      lm-eval run --include_path "$(speechzoo lm-eval-path)" \\
        --model MY_AUDIO_MODEL --tasks speechzoo_s2sbench_mini_speech
    """
    click.echo(FOLDER)
