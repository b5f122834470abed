"""What both trainings have in common: the data, the schedule, checkpoints, and going on after a break."""

import json
import math
import random
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, cast

import torch
from safetensors.torch import load_file
from speechzoo_echox import assembly
from speechzoo_echox.audio_adapter import AudioAdapter
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR
from transformers import LlamaForCausalLM, PreTrainedTokenizerBase

from echox_tiny import checkpoint
from echox_tiny.adapter import Kept, frames_of, kept_of, new_adapter
from echox_tiny.features import Features, read_features
from echox_tiny.folder import Clip, Folder
from echox_tiny.labels import Labels
from echox_tiny.progress import Bar
from speechzoo import Setup, lm
from speechzoo.catalogue import open_catalogue

if TYPE_CHECKING:
    from peft import PeftModel

    from echox_tiny.ears import Ears

LLM = "smollm2-135m"
# The blank's own token, unused by SmolLM2, and the one whose vector it starts with: a space.
BLANK_TOKEN, _SPACE = "<empty_output>", "Ġ"
_WARM_UP = 0.05
_FROZEN, _LORA = "steps", "lora"
_READERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
_WATCHED = 48
_AT_ONCE = 16
# Times as many clips are as long as those of a batch.
_NEAR = 8
LOWER = 8
"""Layers of the LLM that learn to read what is heard, if any do."""


@dataclass
class Training:
    """Data and model of one training.

    Attributes:
        folder: where all of it lies.
        device: computed on.
        seed: of batches and starts.
        clips: all, with features or not.
        labels: of CTC.
        places: of the labels in the layout, [labels], the blank's first.
        spelled: the tokens whose vectors the labels start as, [labels].
        llm: SmolLM2, frozen.
        tokenizer: of the LLM.
        adapter: what is trained.
        lora: what is trained of the LLM, if anything.
        ears: Whisper, if it is trained, too; it is when the LLM is.
    """

    folder: Folder
    device: torch.device
    seed: int
    clips: list[Clip]
    labels: Labels
    places: Tensor
    spelled: Tensor
    llm: LlamaForCausalLM
    tokenizer: PreTrainedTokenizerBase
    adapter: AudioAdapter
    lora: "PeftModel | None" = None
    ears: "Ears | None" = None

    @classmethod
    def begin(cls, folder: Folder, clips: int, device: str, seed: int) -> "Training":
        """With the first ``clips`` clips."""
        home = open_catalogue().model(LLM).folder
        if home is None:
            raise FileNotFoundError(f"run: speechzoo fetch {LLM}")
        on = lm.torch_device(device)
        causal = lm.CausalLM.load(Setup(LLM, home, device=device))
        llm = cast(LlamaForCausalLM, causal.model).requires_grad_(False)
        first = list(folder.clips())[:clips]
        # With features or not yet, so that the head is the same when more have some.
        texts = (clip.spoken for clip in first if not clip.held_out)
        labels = Labels.of(texts, home / "tokenizer.json")
        torch.manual_seed(seed)
        blank, space = (causal.tokenizer.convert_tokens_to_ids(token) for token in (BLANK_TOKEN, _SPACE))
        places, spelled = (torch.tensor([own, *labels.tokens]) for own in (blank, space))
        table = llm.model.embed_tokens.weight.cpu()
        adapter = new_adapter(table, llm.config.num_attention_heads, spelled).to(on)
        base = folder.root / "base"
        checkpoint.write_base(base, home, folder.whisper, llm)
        return cls(folder, on, seed, first, labels, places, spelled, llm, causal.tokenizer, adapter)

    @cached_property
    def train(self) -> list[Features]:
        """Of the clips that are trained on, in memory: 40 kB a second of speech."""
        return read_features(self.folder, (clip for clip in self.clips if not clip.held_out))

    @cached_property
    def held_out(self) -> list[Features]:
        return read_features(self.folder, (clip for clip in self.clips if clip.held_out))

    @property
    def watched(self) -> list[Features]:
        """Held-out clips, enough to watch a training; all of them decide."""
        return self.held_out[:_WATCHED]

    def batch(self, step: int, size: int) -> list[Features]:
        """The same for the same step, whether it is the first of a process or not.

        The clips are about as long as each other, or half of what is computed would be padding.
        """
        dice = random.Random(f"{self.seed} {step}")
        near = min(_NEAR * size, len(self._by_length))
        first = dice.randrange(len(self._by_length) - near + 1)
        return dice.sample(self._by_length[first : first + near], min(size, near))

    @cached_property
    def _by_length(self) -> list[Features]:
        return sorted(self.train, key=lambda own: len(own.clip.spoken))

    def ids(self, text: str) -> Tensor:
        """Of the LLM's own tokens, [n], nothing before or after them."""
        ids = self.tokenizer.encode(text, add_special_tokens=False)
        return torch.tensor(ids, dtype=torch.long, device=self.device)

    def encoded(self, batch: list[Features]) -> list[Features]:
        """The clips, their frames where they are computed with: the disk's, unless Whisper learns."""
        if self.ears is None:
            return [replace(own, frames=own.frames.to(self.device)) for own in batch]
        heard = self.ears([own.clip for own in batch])
        return [replace(own, frames=frames) for own, frames in zip(batch, heard, strict=True)]

    def frames(self, encoded: list[Features]) -> Tensor:
        """The adapter's, padded, [clips, longest, hidden]."""
        return frames_of(self.adapter, [own.frames for own in encoded])

    @torch.no_grad()
    def listen(self, clips: list[Features]) -> list[Kept]:
        """What is kept of the clips; nothing learns from it to hear otherwise."""
        kept: list[Kept] = []
        for start in range(0, len(clips), _AT_ONCE):
            encoded = self.encoded(clips[start : start + _AT_ONCE])
            frames = zip(encoded, self.frames(encoded), strict=True)
            kept += [kept_of(self.adapter, own.clip, row[: len(own.frames)]) for own, row in frames]
        return kept

    @property
    def place(self) -> str:
        """Where checkpoints go: ``steps``, or ``lora`` if Whisper and the LLM are trained, too."""
        return _FROZEN if self.lora is None else _LORA

    @property
    def hearing(self) -> list[nn.Module]:
        """What tells labels: trained by CTC."""
        return [own for own in (self.adapter, self.ears) if own is not None]

    @property
    def reading(self) -> list[nn.Module]:
        """What makes sense of what is kept: trained after it."""
        return [own for own in (self.adapter.lbm, self.lora) if own is not None]

    def stage(self, name: str) -> str:
        """The stage's name in this run."""
        return name if self.lora is None else f"{name}-lora"

    def log(self, stage: str) -> Path:
        return self.folder.root / f"{stage}.jsonl"

    def add_lora(self, rank: int) -> None:
        """Puts what is learned beside Whisper and the LLM's lower layers into these themselves.

        All of their weights: what a heard vector means is for them to find out.
        """
        from peft import LoraConfig, get_peft_model

        from echox_tiny.ears import LAYERS, Ears, whisper_encoder

        hearing = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=list(LAYERS))
        encoder = whisper_encoder(self.folder, self.device)
        self.ears = Ears(self.folder, cast("PeftModel", get_peft_model(encoder, hearing)))
        reading = LoraConfig(
            r=rank,
            lora_alpha=2 * rank,
            target_modules=list(_READERS),
            layers_to_transform=list(range(LOWER)),
            layers_pattern="layers",
            task_type="CAUSAL_LM",
        )
        self.lora = cast("PeftModel", get_peft_model(self.llm, reading))

    def as_it_was(self) -> AbstractContextManager[None]:
        """Within it the LLM is without what it learned."""
        return nullcontext() if self.lora is None else self.lora.disable_adapter()

    def learned(self) -> dict[str, Tensor]:
        """What Whisper and the LLM learned, as `assembly` wants it: ``up`` @ ``down`` comes to the weight."""
        if self.ears is None:
            return {}
        return _low_rank(assembly.LLM, self.llm) | _low_rank(
            assembly.WHISPER, self.ears.encoder.get_base_model()
        )

    def read(self, step: int, lora: bool = False) -> None:
        """A checkpoint, for more training; with ``lora``, of the run that trains Whisper and the LLM, too."""
        folder = self._step(_LORA if lora else _FROZEN, step)
        stored = load_file(folder / assembly.AUDIO)
        stored[assembly.HEAD] = stored[assembly.HEAD][self.places]
        self.adapter.load_state_dict({name.removeprefix("model."): own for name, own in stored.items()})
        if lora:
            from peft import PeftModel

            from echox_tiny.ears import Ears, whisper_encoder

            learned = folder / checkpoint.LORA
            encoder = whisper_encoder(self.folder, self.device)
            hearing = PeftModel.from_pretrained(encoder, learned / checkpoint.WHISPER, is_trainable=True)
            self.ears = Ears(self.folder, hearing)
            self.lora = PeftModel.from_pretrained(self.llm, learned / checkpoint.LLM, is_trainable=True)

    def write(self, step: int) -> None:
        audio = {f"model.{name}": tensor for name, tensor in self.adapter.state_dict().items()}
        whole = assembly.with_whole_head(audio, self.places, self.llm.config.vocab_size)
        checkpoint.write(self._step(self.place, step), self.folder.root / "base", whole, self._learners)

    @property
    def _learners(self) -> "dict[str, PeftModel]":
        """By the names of their folders in a checkpoint."""
        if self.ears is None or self.lora is None:
            return {}
        return {checkpoint.WHISPER: self.ears.encoder, checkpoint.LLM: self.lora}

    def _step(self, place: str, step: int) -> Path:
        return self.folder.root / place / f"step-{step:05}"


def _low_rank(prefix: str, model: nn.Module) -> dict[str, Tensor]:
    from peft.tuners.lora import LoraLayer

    learned: dict[str, Tensor] = {}
    for name, module in model.named_modules():
        if isinstance(module, LoraLayer):
            down, up = (
                cast(nn.Linear, part["default"]).weight.detach() for part in (module.lora_A, module.lora_B)
            )
            learned |= {f"{prefix}{name}.down": down, f"{prefix}{name}.up": module.scaling["default"] * up}
    return learned


def run(
    name: str,
    log: Path,
    first: int,
    last: int,
    every: int,
    rate: float,
    modules: Iterable[nn.Module],
    loss_of: Callable[[int], dict[str, Tensor]],
    save: Callable[[int], dict[str, float]],
) -> None:
    """Steps ``first`` + 1 to ``last``: AdamW, cosine to nothing, gradients clipped at 1.

    Args:
        name: of the stage.
        log: a line of JSON for every checkpoint: the mean losses since the one before, and what ``save``
            tells. Beside it lies the state to go on from.
        first: the step that the stage starts after.
        last: its last step.
        every: so many steps make a checkpoint.
        rate: the highest learning rate.
        modules: what is trained.
        loss_of: the losses of one step; their sum is minimised.
        save: writes a checkpoint and measures it.
    """
    parameters = [parameter for module in modules for parameter in _trainable(module)]
    optimizer = AdamW(parameters, lr=rate, weight_decay=0.01)
    schedule = LambdaLR(optimizer, lambda done: _cosine(done / (last - first)))
    state_file = log.with_suffix(".pt")
    done = _resume(state_file, parameters, optimizer, schedule) if state_file.is_file() else first
    told: dict[str, list[float]] = {}
    with Bar(name, last - first, done - first) as bar:
        for step in range(done + 1, last + 1):
            # A step's dice are its own, so that a training that is taken up again goes on as it would have.
            torch.manual_seed(step)
            # Several times as fast; what is stored and measured is in float32.
            with torch.autocast(parameters[0].device.type, torch.bfloat16):
                losses = loss_of(step)
            optimizer.zero_grad()
            torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()
            for key, value in losses.items():
                told.setdefault(key, []).append(value.item())
            bar.advance(1)
            if step % every == 0 or step == last:
                row = {"step": step, **{key: fmean(values) for key, values in told.items()}, **save(step)}
                told = {}
                _keep(state_file, step, parameters, optimizer, schedule)
                with log.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
                bar.say(json.dumps(row))


def _cosine(part: float) -> float:
    return min(part / _WARM_UP + 1e-3, 0.5 * (1 + math.cos(math.pi * min(part, 1.0))))


def _keep(
    path: Path, step: int, parameters: list[nn.Parameter], optimizer: Optimizer, schedule: LambdaLR
) -> None:
    state = {
        "step": step,
        "parameters": [p.detach().cpu() for p in parameters],
        "optimizer": optimizer.state_dict(),
        "schedule": schedule.state_dict(),
    }
    part = path.with_suffix(".part")
    torch.save(state, part)
    part.replace(path)


@torch.no_grad()
def _resume(path: Path, parameters: list[nn.Parameter], optimizer: Optimizer, schedule: LambdaLR) -> int:
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    for own, kept in zip(parameters, state["parameters"], strict=True):
        own.copy_(kept)
    optimizer.load_state_dict(state["optimizer"])
    schedule.load_state_dict(state["schedule"])
    return int(state["step"])


def _trainable(module: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in module.parameters() if parameter.requires_grad]
