"""The steps of a training as checkpoints in EchoX's layout: what they share are links."""

import copy
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from speechzoo_echox import assembly, converted_whisper
from torch import Tensor
from transformers import LlamaForCausalLM

if TYPE_CHECKING:
    from peft import PeftModel

LORA = "lora"
"""In a checkpoint's folder: what these two learned, as peft keeps it."""
WHISPER, LLM = "whisper", "llm"


def write_base(folder: Path, llm_home: Path, whisper: Path, llm: LlamaForCausalLM) -> None:
    """What training leaves alone, once."""
    # Written last: without it the folder is none.
    if not (folder / "config.json").is_file():
        shutil.copytree(whisper, folder / assembly.EARS, dirs_exist_ok=True)
        assembly.write_base(folder, llm_home, llm)


def write(folder: Path, base: Path, audio: dict[str, Tensor], learned: "dict[str, PeftModel]") -> None:
    """One step's, whole or not at all.

    Args:
        folder: made.
        base: what `write_base` wrote.
        audio: the audio modules.
        learned: what `WHISPER` and `LLM` learned, if they did: written into their weights, and by itself to
            go on from.
    """
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(base, part, copy_function=os.link)
    assembly.write_audio(part, audio)
    for name, own in learned.items():
        own.save_pretrained(str(part / LORA / name))
        whole = copy.deepcopy(own).merge_and_unload()
        if name == LLM:
            assembly.write_language_model(part, whole)
        else:
            converted_whisper.write(part / assembly.EARS, whole.state_dict())
    shutil.rmtree(folder, ignore_errors=True)
    part.replace(folder)
