"""Which of transformers' attention backends a model can be computed with on this machine."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch
from transformers import PretrainedConfig
from transformers.utils.import_utils import (
    is_flash_attn_2_available,
    is_flash_attn_3_available,
    is_torch_flex_attn_available,
)

from speechzoo.errors import SetupError
from speechzoo.lm.device import torch_device
from speechzoo.setup import Setup

_FLASH: dict[str, Callable[[], bool]] = {
    "flash_attention_2": is_flash_attn_2_available,
    "flash_attention_3": is_flash_attn_3_available,
}


def require_attention(setup: Setup, model_class: Any, config: PretrainedConfig) -> None:
    """Refuses an attention backend that the machine or the model does not have.

    Kernels of the hub are none of them: they would be code that is downloaded and run.

    Args:
        setup: names the backend; "" is any model's.
        model_class: of transformers, as for `speechzoo.lm.load_model`.
        config: of the checkpoint.

    Raises:
        SetupError: it is not there; the message says which are.
    """
    wanted = setup.attention
    if not wanted:
        return
    there = _of_machine(setup)
    if wanted in there and _can(model_class, config, wanted, setup):
        return
    able = [name for name in there if _can(model_class, config, name, setup)]
    no_flash = wanted in _FLASH and wanted not in there
    why = f" ({_why_no_flash(setup) or 'it is not installed'})" if no_flash else ""
    raise SetupError(
        f"{setup.name} cannot be computed with --attention {wanted} on {setup.device} in {setup.dtype}{why}; "
        f"it can with: {', '.join(able) or 'none by name, leave --attention out'}"
    )


def _of_machine(setup: Setup) -> list[str]:
    names = ["sdpa", "eager"]
    if is_torch_flex_attn_available():
        names.append("flex_attention")
    if not _why_no_flash(setup):
        names += [name for name, installed in _FLASH.items() if installed()]
    return names


def _why_no_flash(setup: Setup) -> str:
    """Nothing if it would run; otherwise transformers would warn, and the first forward pass fail."""
    if torch_device(setup.device).type != "cuda":
        return "it needs a GPU"
    if setup.dtype == "float32":
        return "it computes in bfloat16 and float16 alone"
    return ""


def _can(model_class: Any, config: PretrainedConfig, backend: str, setup: Setup) -> bool:
    """Whether the model can be made with a backend: tried without memory for its weights."""
    try:
        with torch.device("meta"):
            if hasattr(model_class, "from_config"):
                model_class.from_config(
                    deepcopy(config), attn_implementation=backend, trust_remote_code=setup.trust_remote_code
                )
            else:
                model_class._from_config(deepcopy(config), attn_implementation=backend)
    except (ValueError, ImportError):  # how transformers says no
        return False
    return True
