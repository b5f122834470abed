"""A series of checkpoints that is taken up again."""

from pathlib import Path

import pytest

from speechzoo.cli.checkpoints import LAST_NUMBER, find_checkpoints, open_training
from speechzoo.cli.wanted import Wanted
from speechzoo.errors import SpeechzooError

WANTED = Wanted("trained", "pairs", None, {}, None, None, None, 0)


def test_folders_spelled_another_way_are_the_same_series(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a night's work could be taken up from a script and not from the shell, or only anew."""
    for folder in ("out/step-1", "out/step-2", "other/step-1", "series"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "link").symlink_to("out")
    monkeypatch.chdir(tmp_path)
    parent = Path("series")
    begun = open_training(parent, WANTED, find_checkpoints("out/step-1", LAST_NUMBER))
    begun.write(parent)
    for pattern in (f"{tmp_path}/out/step-*", "series/../out/step-*", "link/step-*"):
        found = find_checkpoints(pattern, LAST_NUMBER)
        series = open_training(parent, WANTED, found)
        assert [own.folder for own in series.checkpoints] == ["out/step-1", found[1].folder]
    with pytest.raises(SpeechzooError, match="step 1: out/step-1 there, other/step-1 now"):
        open_training(parent, WANTED, find_checkpoints("other/step-1", LAST_NUMBER))
