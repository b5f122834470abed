"""Other ways to the same scores: S2SBench's loop, a packed row, and lm-evaluation-harness."""

from collections.abc import Sequence
from typing import Any

import torch
from random_speech_lm import RandomSpeechLM, SpokenItem
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence

from speechzoo import AudioClip, ContinuationScore, ScoreAnswer, ScoreAsk
from speechzoo.lm import CausalLM, hear
from speechzoo.lm.batches import packed


@torch.inference_mode()
def option_by_option(lm: RandomSpeechLM, items: Sequence[SpokenItem]) -> list[ScoreAnswer]:
    """As S2SBench's own script does: a pass over all items for each option, one row at a time.

    Every row starts from its WAV file; logits of all positions, cross entropy over all of them.
    """
    scores: list[list[ContinuationScore]] = [[] for _ in items]
    for option in range(len(items[0].options)):
        for item, found in zip(items, scores, strict=True):
            found.append(_one_row(lm, item, item.options[option]))
    return [ScoreAnswer(tuple(found)) for found in scores]


def _one_row(lm: RandomSpeechLM, item: SpokenItem, option: str) -> ContinuationScore:
    wave = AudioClip.from_file(item.path).samples(lm.rate)
    [heard] = lm.embed_audio([lm.features(wave)])
    ids = torch.tensor(lm.ids(option), device=lm.device)
    row = torch.cat([lm.embed_text(item.prompt), heard, lm.embed(ids)])[None]
    labels = torch.full(row.shape[:2], -100, device=lm.device)
    labels[0, -len(ids) :] = ids
    logits = lm.model(inputs_embeds=row, use_cache=False).logits
    losses = cross_entropy(logits[0, :-1].float(), labels[0, 1:], reduction="none")
    return ContinuationScore(-losses.sum().item(), len(ids))


@torch.inference_mode()
def packed_rows(lm: CausalLM, asks: Sequence[ScoreAsk], token_budget: int) -> list[ScoreAnswer]:
    """[context | option 1 | ... | option n] in one row and one forward pass, no cache.

    Positions start again after the context for every option, and a mask hides the options from each
    other. Logits only where a token is scored.
    """
    heard = hear(lm, (ask.context for ask in asks))
    contexts = [lm.embed_context(ask.context, ask.chat, heard) for ask in asks]
    rows = [
        _PackedRow(lm, context, [lm.ids(str(text)) for text in ask.continuations])
        for context, ask in zip(contexts, asks, strict=True)
    ]
    longest_first = sorted(range(len(rows)), key=lambda index: -rows[index].length)
    answers: dict[int, ScoreAnswer] = {}
    for batch in packed(longest_first, lambda index: rows[index].length, lambda: token_budget):
        answers.update(zip(batch, _packed_pass(lm, [rows[index] for index in batch]), strict=True))
    return [answers[index] for index in range(len(asks))]


class _PackedRow:
    """Where things stand in a row; blocks are 0 for the context and 1.. for the options."""

    def __init__(self, lm: CausalLM, context: Tensor, options: list[list[int]]) -> None:
        start = len(context)
        blocks, positions, self.predicted_from, self.scored = [0] * start, list(range(start)), [], []
        self.lengths = [len(ids) for ids in options]
        given: list[int] = []
        for block, ids in enumerate(options, 1):
            self.predicted_from += [start - 1, *range(start + len(given), start + len(given) + len(ids) - 1)]
            self.scored += ids
            given += ids[:-1]
            blocks += [block] * (len(ids) - 1)
            positions += range(start, start + len(ids) - 1)
        self.embeddings = torch.cat([context, lm.embed(torch.tensor(given, device=lm.device))])
        self.blocks, self.positions = torch.tensor(blocks), torch.tensor(positions)
        self.length = len(blocks)


def _packed_pass(lm: CausalLM, rows: list[_PackedRow]) -> list[ScoreAnswer]:
    blocks = pad_sequence([row.blocks for row in rows], batch_first=True, padding_value=-1).to(lm.device)
    positions = pad_sequence([row.positions for row in rows], batch_first=True).to(lm.device)
    embeddings = pad_sequence([row.embeddings for row in rows], batch_first=True)
    width = blocks.shape[1]
    earlier = torch.ones(width, width, dtype=torch.bool, device=lm.device).tril()
    visible = earlier & ((blocks[:, None, :] == 0) | (blocks[:, None, :] == blocks[:, :, None]))
    states = lm.model.model(
        inputs_embeds=embeddings, attention_mask=visible[:, None], position_ids=positions, use_cache=False
    ).last_hidden_state
    places = [place * width + index for place, row in enumerate(rows) for index in row.predicted_from]
    scored = torch.tensor([token for row in rows for token in row.scored], device=lm.device)
    logits = lm.model.lm_head(states.flatten(0, 1)[torch.tensor(places, device=lm.device)])
    losses = cross_entropy(logits.float(), scored, reduction="none").double()
    lengths = [length for row in rows for length in row.lengths]
    totals = iter([-part.sum() for part in losses.split(lengths)])
    return [
        ScoreAnswer(tuple(ContinuationScore(next(totals).item(), length) for length in row.lengths))
        for row in rows
    ]


class Harness:
    """lm-evaluation-harness's model of transformers around the same weights.

    It is given our token ids: by itself it tokenizes context and continuation together.
    """

    def __init__(self, lm: CausalLM, rows_at_once: int) -> None:
        from lm_eval.models.huggingface import HFLM

        self._lm = lm
        self._harness: Any = HFLM(
            pretrained=lm.model, tokenizer=lm.tokenizer, batch_size=rows_at_once, device=str(lm.device)
        )

    def score(self, asks: Sequence[ScoreAsk]) -> list[ScoreAnswer]:
        requests = [
            (("", ""), [token for part in ask.context[0].parts for token in self._lm.ids(str(part))], ids)
            for ask in asks
            for ids in (self._lm.ids(str(text)) for text in ask.continuations)
        ]
        sums = iter(self._harness._loglikelihood_tokens(requests, disable_tqdm=True))
        tokens = iter(len(ids) for _, _, ids in requests)
        return [
            ScoreAnswer(tuple(ContinuationScore(next(sums)[0], next(tokens)) for _ in ask.continuations))
            for ask in asks
        ]
