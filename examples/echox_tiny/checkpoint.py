"""The steps of a training as checkpoints in EchoX's layout: what they share are links."""

import copy
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from speechzoo_echox import assembly
from torch import Tensor
from transformers import LlamaForCausalLM

if TYPE_CHECKING:
    from peft import PeftModel

LORA = "lora"
"""In a checkpoint's folder: what the LLM learned, as peft keeps it."""


def write_base(folder: Path, llm_home: Path, whisper: Path, llm: LlamaForCausalLM) -> None:
    """What training leaves alone, once."""
    # Written last: without it the folder is none.
    if not (folder / "config.json").is_file():
        shutil.copytree(whisper, folder / assembly.EARS, dirs_exist_ok=True)
        assembly.write_base(folder, llm_home, llm)


def write(folder: Path, base: Path, audio: dict[str, Tensor], lora: "PeftModel | None" = None) -> None:
    """One step's, whole or not at all.

    Args:
        folder: made.
        base: what `write_base` wrote.
        audio: the audio modules.
        lora: what the LLM learned, if it did: written into its weights, and by itself to go on from.
    """
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(base, part, copy_function=os.link)
    assembly.write_audio(part, audio)
    if lora is not None:
        lora.save_pretrained(str(part / LORA))
        assembly.write_language_model(part, copy.deepcopy(lora).merge_and_unload())
    shutil.rmtree(folder, ignore_errors=True)
    part.replace(folder)
