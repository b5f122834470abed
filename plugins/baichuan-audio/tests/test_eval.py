"""An evaluation from end to end, as a user types it."""

import json

from click.testing import CliRunner

from speechzoo.cli.eval import command
from speechzoo.errors import SetupError

GIVEN = ["-t", "s2sbench-mini", "--conditions", "t2t,s2t", "--limit", "8"]


def test_a_folder_is_evaluated_in_both_arms(folder, tmp_path):
    """Otherwise the adapter passes every small question and fails on the first data set."""
    model = ["-m", f"baichuan-audio@{folder}", "--trust-remote-code"]
    done = CliRunner().invoke(command, [*model, *GIVEN, "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["run"]["systems"]["model"]["identity"]["adapter"] == "baichuan-audio"


def test_it_is_not_evaluated_without_leave(folder, tmp_path):
    """Otherwise naming a folder is enough to run what lies in it."""
    done = CliRunner().invoke(command, ["-m", f"baichuan-audio@{folder}", *GIVEN, "--out", str(tmp_path)])
    assert isinstance(done.exception, SetupError)
    assert "--trust-remote-code" in str(done.exception)
