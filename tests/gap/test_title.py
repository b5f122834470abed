"""What a report is called."""

import pytest

from speechzoo.gap import degradation
from tests.report.factory import T, item, results, run_file, scored

VOICE = {"name": "piper-joe", "revision": "1f"}


@pytest.mark.parametrize(
    ("heard", "title"),
    [
        ({}, "tiny-speech-lm on s2sbench-mini"),
        ({"channel": "snr=10"}, "tiny-speech-lm on s2sbench-mini, heard through snr=10"),
        ({"voice": VOICE}, "tiny-speech-lm on s2sbench-mini, spoken by piper-joe"),
        (
            {"channel": "snr=10", "voice": VOICE},
            "tiny-speech-lm on s2sbench-mini, heard through snr=10, spoken by piper-joe",
        ),
    ],
)
def test_a_report_is_called_by_what_was_heard(heard: dict[str, object], title: str) -> None:
    """Otherwise: the page of a run in noise and that of the clean one have the same name."""
    run = run_file().model_copy(update=heard)
    assert degradation(results([item("a")], scored(T, {"a": 1.0}), run=run)).title == title
