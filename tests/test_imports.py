"""The layers of the package, as pyproject.toml states them."""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]


def test_the_contracts_are_kept() -> None:
    """Otherwise listing models would load torch one day, and no part could be changed by itself."""
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-c", program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_module_has_its_layer() -> None:
    """Otherwise a new module could import anything, and the contracts would not see it."""
    layers = {f"speechzoo.{path.stem}" for path in (ROOT / "speechzoo").iterdir() if _is_module(path)}
    named = {module.strip() for layer in CONTRACTS[0]["layers"] for module in layer.split("|")}
    assert layers == named


def test_only_the_language_model_part_may_import_torch() -> None:
    """Otherwise a new part could make every command wait for torch."""
    named = {module.strip() for layer in CONTRACTS[0]["layers"] for module in layer.split("|")}
    assert named - set(CONTRACTS[1]["source_modules"]) == {"speechzoo.lm"}


def _is_module(path: Path) -> bool:
    if path.is_dir():
        return (path / "__init__.py").exists()
    return path.suffix == ".py" and not path.stem.startswith("__")
