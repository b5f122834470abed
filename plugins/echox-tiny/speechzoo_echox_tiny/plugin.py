"""A registry entry and trained weights; speechzoo-echox is what runs them."""

from pathlib import Path

from speechzoo import hookimpl


@hookimpl
def speechzoo_registry() -> Path:
    return Path(__file__).parent / "registry.yaml"
