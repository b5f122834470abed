"""The authors' package kimia_infer: with leave, from files that were fetched, and its faults named."""

import importlib
import sys
from pathlib import Path
from typing import Any

import torch

from speechzoo import Setup, SetupError

TOKENIZER = "glm-4-voice-tokenizer"


def load(setup: Setup, code: str, detokenizer: bool) -> Any:
    """A ``kimia_infer.api.kimia.KimiAudio`` of the setup's folder.

    Args:
        setup: see `speechzoo_kimi_audio.kimi_audio.KimiAudioModel`.
        code: the folder that kimia_infer lies in; "" where it is installed.
        detokenizer: loads what makes speech.

    Raises:
        SetupError: the user has not allowed the checkpoint's code to run, the package cannot do what is
            asked for, it is not installed, or it fails.
    """
    name, folder = setup.name, setup.files()
    if not setup.trust_remote_code:
        raise SetupError(
            f"{name} is run by the package kimia_infer and by the Python code in {folder}, with all your "
            "rights: look at both first, then allow it with --trust-remote-code"
        )
    _require_what_it_does(setup)
    if not (folder / TOKENIZER / "config.json").is_file():
        raise SetupError(
            f"{name} hears with {TOKENIZER}: put the files of THUDM/{TOKENIZER} into {folder / TOKENIZER}"
        )
    if code:
        sys.path.insert(0, str(Path(code).expanduser().resolve()))
    try:
        prompts: Any = importlib.import_module("kimia_infer.api.prompt_manager")
        kimia: Any = importlib.import_module("kimia_infer.api.kimia")
    except Exception as error:  # code of others may raise anything
        raise SetupError(
            f"{name} needs its authors' package kimia_infer, which could not be imported "
            f"({type(error).__name__}: {error}): see the README of speechzoo-kimi-audio for what it takes"
        ) from error
    ears = prompts.Glm4Tokenizer
    # The package names a repository there, whose files would be downloaded, and at no fixed commit.
    prompts.Glm4Tokenizer = lambda _: ears(str(folder / TOKENIZER))
    try:
        return kimia.KimiAudio(model_path=str(folder), load_detokenizer=detokenizer)
    except Exception as error:
        raise SetupError(f"{name}: kimia_infer failed to load it: {type(error).__name__}: {error}") from error
    finally:
        prompts.Glm4Tokenizer = ears


def _require_what_it_does(setup: Setup) -> None:
    """It puts everything onto the current card, in bfloat16, and asks nobody."""
    if not setup.device.startswith("cuda"):
        raise SetupError(f"{setup.name} runs on a GPU alone: say --device cuda")
    if setup.dtype != "bfloat16":
        raise SetupError(f"{setup.name} is computed in bfloat16 alone: say --dtype bfloat16")
    if setup.attention or setup.device_map:
        raise SetupError(f"{setup.name} knows neither --attention nor --device-map: leave them out")
    if ":" in setup.device:
        torch.cuda.set_device(setup.device)
