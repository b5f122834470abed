"""Third training: after the clip the LLM should expect what it expects after the text."""

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from itertools import cycle
from statistics import fmean
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence
from transformers import LlamaForCausalLM

from echox_tiny import ctc, pairs
from echox_tiny.features import Features
from echox_tiny.training import Training, run

if TYPE_CHECKING:
    from peft import PeftModel

RATE = 3e-4
_BATCH = 4
_CTC_SHARE = 0.1
# Every second clip comes after the words that S2SBench puts before speech: it has to be heard there, too.
_BEFORE = ("", "Below is a segment of alternating speech and text content: ")
_LORA = ("q_proj", "k_proj", "v_proj", "o_proj")


def train(training: Training, first: int, steps: int, every: int, rank: int) -> None:
    """Goes on from the last step of the second training; steps are counted on.

    Args:
        training: data and model.
        first: the step that is gone on from.
        steps: of this training.
        every: steps from checkpoint to checkpoint.
        rank: of LoRA on the LLM's attention; 0 leaves the LLM as it is.
    """
    root = training.folder.root
    training.read(root / "steps", first)
    folder = root / ("lora" if rank else "steps")
    folder.mkdir(exist_ok=True)
    lora = with_lora(training.llm, rank) if rank else None
    as_it_was = lora.disable_adapter if lora else nullcontext
    watched = training.held_out[: pairs.CLIPS]

    def losses(step: int) -> dict[str, Tensor]:
        batch = training.batch(step, _BATCH)
        heard = _CTC_SHARE * ctc.losses(training, batch)["ctc"]
        return {"kl": divergence(training, batch, as_it_was), "ctc": heard}

    def save(step: int) -> dict[str, float]:
        training.write(folder, step, None if lora is None else copy.deepcopy(lora).merge_and_unload())
        with torch.inference_mode():
            divergent = float(divergence(training, watched, as_it_was))
        return {
            "held_out_token_error": ctc.token_error(training, training.held_out),
            "held_out_kl": divergent,
            **{name: fmean(right) for name, right in pairs.preferences(training, watched).items()},
        }

    name = "lora" if rank else "distil"
    modules = [training.adapter, *([lora] if lora else [])]
    run(name, root / f"{name}.jsonl", first, first + steps, every, RATE, modules, losses, save)


def divergence(
    training: Training, batch: list[Features], as_it_was: Callable[[], AbstractContextManager[None]]
) -> Tensor:
    """Kullback-Leibler divergence of the student's next tokens from the teacher's, a token of the rests.

    The teacher is the LLM without what it learned, after the clip's text; the student hears the clip instead.
    """
    embed = training.llm.get_input_embeddings()
    rests = [embed(training.ids(own.clip.rest)) for own in batch]
    with torch.no_grad(), as_it_was():
        read = [embed(training.ids(own.clip.spoken)) for own in batch]
        taught = next_tokens(training.llm, read, rests).softmax(-1)
    heard = [
        torch.cat([embed(training.ids(before)), training.hear(own)])
        for before, own in zip(cycle(_BEFORE), batch, strict=False)
    ]
    told = next_tokens(training.llm, heard, rests).log_softmax(-1)
    return functional.kl_div(told, taught, reduction="batchmean")


def next_tokens(llm: LlamaForCausalLM, contexts: list[Tensor], rests: list[Tensor]) -> Tensor:
    """Logits of all tokens of all rests, [tokens, vocabulary] in float32, each rest after its context."""
    rows = [torch.cat([context, rest]) for context, rest in zip(contexts, rests, strict=True)]
    given = pad_sequence(rows, batch_first=True)
    # Padding stands behind: no token that counts looks at it.
    states = llm.model(inputs_embeds=given, use_cache=False).last_hidden_state
    own = [
        states[row, len(context) - 1 : len(context) + len(rest) - 1]
        for row, (context, rest) in enumerate(zip(contexts, rests, strict=True))
    ]
    logits: Tensor = llm.lm_head(torch.cat(own)).float()
    return logits


def with_lora(llm: LlamaForCausalLM, rank: int) -> "PeftModel":
    """Puts what is learned beside the LLM's attention into the LLM itself."""
    from peft import LoraConfig, get_peft_model

    settings = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=list(_LORA), task_type="CAUSAL_LM")
    return get_peft_model(llm, settings)


def low_rank(llm: LlamaForCausalLM) -> dict[str, Tensor]:
    """By its modules: ``up`` @ ``down`` is what was learned to add to the weight."""
    from peft.tuners.lora import LoraLayer

    learned: dict[str, Tensor] = {}
    for name, module in llm.named_modules():
        if isinstance(module, LoraLayer):
            down, up = (
                cast(nn.Linear, part["default"]).weight.detach() for part in (module.lora_A, module.lora_B)
            )
            learned |= {f"{name}.down": down, f"{name}.up": module.scaling["default"] * up}
    return learned
