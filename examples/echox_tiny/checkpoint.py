"""The steps of a training as checkpoints in EchoX's layout: what they share are links."""

import os
import shutil
from pathlib import Path

from speechzoo_echox import assembly
from torch import Tensor
from transformers import LlamaForCausalLM


def write_base(folder: Path, llm_home: Path, whisper: Path, llm: LlamaForCausalLM) -> None:
    """What training leaves alone, once."""
    # Written last: without it the folder is none.
    if not (folder / "config.json").is_file():
        shutil.copytree(whisper, folder / assembly.EARS, dirs_exist_ok=True)
        assembly.write_base(folder, llm_home, llm)


def write(folder: Path, base: Path, audio: dict[str, Tensor], llm: LlamaForCausalLM | None = None) -> None:
    """One step's, whole or not at all.

    Args:
        folder: made.
        base: what `write_base` wrote.
        audio: the audio modules.
        llm: if it was trained, too.
    """
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(base, part, copy_function=os.link)
    assembly.write_audio(part, audio)
    if llm is not None:
        assembly.write_language_model(part, llm)
    shutil.rmtree(folder, ignore_errors=True)
    part.replace(folder)
