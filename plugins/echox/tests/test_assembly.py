"""Checkpoints that are put together of parts; the slow test of the recipe that ships them does the whole."""

from pathlib import Path

import torch
from speechzoo_echox.assembly import HEAD, assemble, label_head, with_whole_head


def test_only_labels_in_use_are_heard() -> None:
    """Otherwise: a checkpoint hears tokens that no clip of its training had."""
    table = torch.randn(50, 16, generator=torch.Generator().manual_seed(0))
    places, spelled = torch.tensor([49, 3, 7, 20]), torch.tensor([5, 3, 7, 20])
    head = label_head(table, spelled)
    torch.testing.assert_close(head.norm(dim=1), torch.ones(4))
    whole = with_whole_head({HEAD: head}, places, 50)[HEAD]
    frames = torch.randn(1000, 16, generator=torch.Generator().manual_seed(1))
    heard = (frames @ whole.T).argmax(dim=1)
    assert set(heard.tolist()) == set(places.tolist())
    # A vector that is a token's own, moved to the labels' mean, is heard as that token.
    own = table[spelled] - table[spelled].mean(dim=0)
    assert (own @ whole.T).argmax(dim=1).tolist() == places.tolist()


def test_a_published_checkpoint_is_left_as_it_is(tmp_path: Path) -> None:
    """Otherwise: fetching EchoX-8B takes its files apart."""
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "whisper").mkdir()
    assemble(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "whisper"}
