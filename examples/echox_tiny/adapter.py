"""EchoX's audio adapter, started so that what it hears as a token is near the LLM's vector of that token."""

from dataclasses import dataclass

import torch
from speechzoo_echox.assembly import label_head
from speechzoo_echox.audio_adapter import AudioAdapter, first_of_runs
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from echox_tiny.folder import Clip

WIDTH = 384
"""Of Whisper tiny's frames."""
_LENGTH = 14.0
"""Of the frames' vectors. The scores of the labels are this times a cosine, so that a label of some 2,800 is
likely only if the vector is near it. With lengths that are learned, the cosines end at a third."""


def new_adapter(table: Tensor, heads: int, spelled: Tensor) -> AudioAdapter:
    """An adapter whose head is the LLM's own table, see `label_head`.

    A frame's vector is a normed one; the closer its direction to a token's row, the likelier is that label,
    and the closer what the LLM is given, mean + length * direction, to the vector of that token. So a frame
    that is heard well is read well, before the LLM was ever asked.

    Args:
        table: the LLM's vectors of tokens, [vocabulary, hidden].
        heads: of the LLM.
        spelled: the tokens that the labels are, [labels], and first the one that the blank starts as.
    """
    hidden = table.shape[1]
    adapter = AudioAdapter(WIDTH, hidden, heads, len(spelled))
    rows = table[spelled].float()
    mean = rows.mean(dim=0)
    away = rows - mean
    with torch.no_grad():
        adapter.audio_feature_head.weight.copy_(label_head(table, spelled))
        norm = adapter.lbm.atten_layer_norm
        # A normed vector has the length of the root of its dimensions.
        norm.weight.fill_(float(away.norm(dim=1).mean()) / hidden**0.5)
        norm.bias.copy_(mean)
        # Looking back adds nothing until it has learned to.
        adapter.lbm.encoder_attn.out_proj.weight.zero_()
        adapter.lbm.encoder_attn.out_proj.bias.zero_()
        # Of a normed vector each dimension is 1 on average.
        adapter.out_norm.weight.fill_(_LENGTH / hidden**0.5)
    adapter.audio_feature_head.requires_grad_(False)
    adapter.out_norm.requires_grad_(False)
    adapter.eval()
    return adapter


def frames_of(adapter: AudioAdapter, clips: list[Tensor]) -> Tensor:
    """The adapter's frames of several clips, padded, [clips, longest, hidden]; they do not see each other."""
    flat = adapter.mm_projector1(torch.cat([clip.float() for clip in clips]))
    mixed = adapter.out_norm(adapter.asr_transformer_encoder(flat[:, None]))[:, 0]
    return pad_sequence(list(mixed.split([len(clip) for clip in clips])), batch_first=True)


@dataclass(frozen=True)
class Kept:
    """What is kept of a clip: the first frame of every run of equal labels.

    Attributes:
        clip: what is said.
        frames: the adapter's, [v, hidden]; looking back makes of them what the LLM is given.
        labels: theirs, blanks among them, [v].
    """

    clip: Clip
    frames: Tensor
    labels: Tensor


def kept_of(adapter: AudioAdapter, clip: Clip, frames: Tensor) -> Kept:
    """Of the adapter's frames of one clip, [n, hidden]."""
    labels = adapter.labels(frames)
    first = first_of_runs(labels)
    return Kept(clip, frames[first], labels[first])
