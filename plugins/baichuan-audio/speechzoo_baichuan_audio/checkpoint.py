"""From a folder to its model, made by the Python code that lies in it: with leave, and its faults named."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch
import transformers
from transformers import AutoConfig, GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.dynamic_module_utils import get_class_from_dynamic_module

from speechzoo.errors import SetupError, SpeechzooError
from speechzoo.lm import load_model, load_tokenizer
from speechzoo.setup import Setup
from speechzoo_baichuan_audio.tags import Tags

TORCHAUDIO = "its processor needs a torchaudio that still has its own backends"
_STATED = "transformers 4.45.0, torch and torchaudio 2.4.0"
_MODEL = "AutoModelForCausalLM"
_RELIED_ON = ("model", "lm_head", "audio_tokenizer", "bind_processor")
# Speech comes out of these, and the adapter does not speak.
_NOT_USED = ("audio_head.", "audio_tokenizer.audio_decoder.", "audio_tokenizer.audio_flow_matching_decoder.")


def load(setup: Setup) -> tuple[Any, PreTrainedTokenizerBase, Tags]:
    """The model with its processor bound, its tokenizer and its special tokens.

    Raises:
        SetupError: the user has not allowed the folder's code to run, the folder is not of this kind, its
            code does not run with what is installed, its weights are not whole; or as of
            `speechzoo.lm.load_model`.
    """
    name, folder = setup.name, setup.files()
    if not setup.trust_remote_code:
        raise SetupError(
            f"{name} is run by the Python code in {folder}, with all your rights: look at the code first, "
            "then allow it with --trust-remote-code"
        )
    if setup.attention:
        raise SetupError(f"{name}: the checkpoint's code has an attention of its own: leave --attention out")
    code = _code(name, folder)
    with own_code(name, "its config and tokenizer were loaded"):
        config = AutoConfig.from_pretrained(
            folder, local_files_only=True, trust_remote_code=setup.trust_remote_code
        )
        tokenizer = load_tokenizer(folder, setup)
    tags = Tags.of(config, tokenizer, name)
    with own_code(name, "its weights were loaded"):
        # By way of the Auto classes, a folder can get the class of an earlier one with the same config.
        model_class = get_class_from_dynamic_module(code, str(folder), local_files_only=True)
        loaded = load_model(folder, setup, model_class, config=config, output_loading_info=True)
    model, report = cast(tuple[Any, dict[str, Any]], loaded)
    _check_whole(name, model, [*report["missing_keys"], *map(str, report["mismatched_keys"])])
    # config.json has other models' leftovers for the tokens that end a reply.
    model.generation_config = _generation_config(folder)
    with own_code(name, "its processor was bound", TORCHAUDIO):
        model.bind_processor(tokenizer, training=False, relative_path="/")
    return model, tokenizer, tags


@contextmanager
def own_code(name: str, when: str, advice: str = "") -> Iterator[None]:
    """Makes of whatever the checkpoint's code raises an error that says when, and beside what it ran."""
    beside = f"here are transformers {transformers.__version__} and torch {torch.__version__}"
    try:
        yield
    except (SpeechzooError, torch.OutOfMemoryError):
        raise
    except ImportError as error:
        raise SetupError(
            f"{name}: the checkpoint's code imports what is not installed: {error}\n"
            f"Its authors state {_STATED}; {beside}."
        ) from error
    except Exception as error:  # code of a checkpoint may raise anything
        raise SetupError(
            f"{name}: the checkpoint's code failed when {when}: {type(error).__name__}: {error}"
            f"{f' ({advice})' if advice else ''}\nIts authors state {_STATED}; {beside}."
        ) from error


def _code(name: str, folder: Path) -> str:
    """The model's class and the file it is in, as config.json names them; nothing is run for it."""
    if not (folder / "config.json").is_file():
        raise SetupError(f"{name}: {folder} has no config.json; is it a transformers checkpoint?")
    code = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("auto_map", {})
    if _MODEL not in code:
        raise SetupError(f"{name}: config.json in {folder} names no code for {_MODEL}")
    if elsewhere := [str(one) for one in code.values() if "--" in str(one)]:
        raise SetupError(
            f"{name}: the code of {folder} lies in another repository ({elsewhere[0]}): copy it into the "
            "folder and name it without the repository in config.json, so that it is what you looked at"
        )
    return str(code[_MODEL])


def _generation_config(folder: Path) -> GenerationConfig | None:
    if not (folder / "generation_config.json").is_file():
        return None
    return GenerationConfig.from_pretrained(folder, local_files_only=True)


def _check_whole(name: str, model: PreTrainedModel, missing: list[str]) -> None:
    """Every part that is relied on is there, and has its values from the files.

    Tensors without a value in the files, and those that the code computes but does not save, transformers
    fills with anything.
    """
    if lacking := [part for part in _RELIED_ON if not hasattr(model, part)]:
        raise SetupError(f"{name}: the checkpoint's {type(model).__name__} has no {', '.join(lacking)}")
    computed = [key for key, _ in model.named_non_persistent_buffers()]
    if empty := sorted(key for key in {*missing, *computed} if not key.startswith(_NOT_USED)):
        raise SetupError(
            f"{name}: {len(empty)} tensors have no value in the checkpoint's files, such as "
            f"{', '.join(empty[:5])}: the download is not whole, or transformers "
            f"{transformers.__version__} loads this code in another way than the one it was written for"
        )
