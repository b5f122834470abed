"""Models and tokenizers of transformers from a folder, as a `Setup` wants them; never from the network."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from transformers import (
    CONFIG_MAPPING,
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    __version__,
)
from transformers.utils.import_utils import is_accelerate_available
from transformers.utils.logging import disable_progress_bar

from speechzoo.errors import SetupError
from speechzoo.lm.attention import require_attention
from speechzoo.lm.device import torch_device, torch_dtype
from speechzoo.lm.memory import require_memory, weight_files
from speechzoo.setup import Setup

_LOG = logging.getLogger(__name__)


def load_model(
    folder: Path, setup: Setup, model_class: Any = AutoModelForCausalLM, **options: Any
) -> PreTrainedModel:
    """A model of transformers on the setup's device, in its dtype, with its attention backend.

    With a device map it is spread over all cards; accelerate's hooks then move what its modules are given.
    Code of the folder runs only if the setup trusts it.

    Args:
        folder: with config.json and weights.
        setup: where and how the model is computed.
        model_class: of transformers.
        options: more of what its ``from_pretrained`` takes.

    Raises:
        SetupError: the device is not there, the weights do not fit it, the attention backend is not for
            this model or machine, accelerate is not installed, or code of the folder would have to run.
    """
    _refuse_newer_files(setup, folder)
    device = torch_device(setup.device)
    # A card's weights go to it one by one; by way of `to` all of them would pass the machine's memory.
    place = {} if device.type == "cpu" else {"device_map": setup.device_map or device}
    if place and not is_accelerate_available():
        raise SetupError(f"{setup.name} needs packages to be loaded onto a GPU: pip install accelerate")
    require_memory(setup, weight_files(folder))
    # Its bar over tensors would write into the runner's own progress display.
    disable_progress_bar()  # type: ignore[no-untyped-call]
    with _refusal_explained(setup, folder):
        if setup.attention:
            require_attention(setup, model_class, _config(folder, setup, model_class))
            options["attn_implementation"] = setup.attention
        model = model_class.from_pretrained(
            folder,
            dtype=torch_dtype(setup.dtype),
            local_files_only=True,
            trust_remote_code=setup.trust_remote_code,
            **place,
            **options,
        )
    _tell_of_offload(setup, model)
    return cast(PreTrainedModel, model)


def load_tokenizer(folder: Path, setup: Setup, **options: Any) -> PreTrainedTokenizerBase:
    """The tokenizer of a folder.

    Where config.json names a model type that transformers does not know, it is what tokenizer.json says.

    Args:
        folder: with the tokenizer's files.
        setup: whether code of the folder may run.
        options: more of what ``from_pretrained`` takes.

    Raises:
        SetupError: code of the folder would have to run.
    """
    tokenizer_class: Any = AutoTokenizer
    if (folder / "tokenizer.json").is_file() and not setup.trust_remote_code and not _is_known(folder):
        tokenizer_class = PreTrainedTokenizerFast
    with _refusal_explained(setup, folder):
        tokenizer = tokenizer_class.from_pretrained(
            folder, local_files_only=True, trust_remote_code=setup.trust_remote_code, **options
        )
    return cast(PreTrainedTokenizerBase, tokenizer)


def _tell_of_offload(setup: Setup, model: Any) -> None:
    """Accelerate keeps some room free on every card, and says nothing of what it leaves elsewhere."""
    places = {str(place) for place in getattr(model, "hf_device_map", {}).values()}
    if elsewhere := sorted(places & {"cpu", "disk"}):
        _LOG.warning(
            "%s: parts of it found no room on the cards and stay on %s, from where every pass moves them: "
            "that takes many times as long",
            setup.name,
            " and ".join(elsewhere),
        )


def _refuse_newer_files(setup: Setup, folder: Path) -> None:
    """transformers 4 takes no notice of what only 5 knows, such as rope_parameters, and says nothing."""
    if not (config := folder / "config.json").is_file():
        return
    settings, _ = PretrainedConfig.get_config_dict(folder, local_files_only=True)
    wrote = settings.get("transformers_version")
    major = str(wrote).partition(".")[0]
    if major.isdecimal() and int(major) > int(__version__.partition(".")[0]):
        raise SetupError(
            f"{setup.name}: {config} was written by transformers {wrote}. Here is {__version__}, which would "
            "overlook some of it and compute something else: take the files as they were published"
        )


def _config(folder: Path, setup: Setup, model_class: Any) -> PretrainedConfig:
    config_class = getattr(model_class, "config_class", None) or AutoConfig
    config = config_class.from_pretrained(
        folder, local_files_only=True, trust_remote_code=setup.trust_remote_code
    )
    return cast(PretrainedConfig, config)


def _is_known(folder: Path) -> bool:
    """Whether config.json, where there is one, names a model type of transformers."""
    if not (folder / "config.json").is_file():
        return True
    settings, _ = PretrainedConfig.get_config_dict(folder, local_files_only=True)
    return settings.get("model_type") in CONFIG_MAPPING


@contextmanager
def _refusal_explained(setup: Setup, folder: Path) -> Iterator[None]:
    """In place of an argument of transformers, the option of ours."""
    try:
        yield
    except ValueError as error:
        if "trust_remote_code" not in str(error):
            raise
        raise SetupError(
            f"{setup.name}: to load {folder}, Python code in it would have to run, and this adapter runs no "
            "code of a checkpoint; that takes an adapter made for it (remote_code in its spec)"
        ) from error
