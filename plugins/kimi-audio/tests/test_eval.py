"""An evaluation from end to end, as a user types it."""

import json

from click.testing import CliRunner

from speechzoo.cli.eval import command


def test_a_folder_is_evaluated_in_both_arms(folder, code, tmp_path):
    """Otherwise the adapter passes every small question and fails on the first data set."""
    model = ["-m", f"kimi-audio@{folder}", "--set", f"code={code}", "--trust-remote-code"]
    given = ["-t", "s2sbench-mini", "--conditions", "t2t,s2t", "--limit", "2", "--out", str(tmp_path)]
    done = CliRunner().invoke(command, [*model, "--device", "cuda", "--dtype", "bfloat16", *given])
    assert done.exit_code == 0, done.output
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["run"]["systems"]["model"]["identity"]["adapter"] == "kimi-audio"
