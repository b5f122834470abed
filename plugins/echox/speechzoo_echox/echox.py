"""EchoX as speechzoo's runner asks it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from transformers import LlamaForCausalLM

from speechzoo import (
    Failure,
    ItemError,
    ReplyAnswer,
    ReplyAsk,
    ScoreAnswer,
    ScoreAsk,
    Setup,
    assistant,
    lm,
)
from speechzoo.asks import ask_digest
from speechzoo.errors import SetupError
from speechzoo.lm.attention import require_attention
from speechzoo.lm.batches import in_batches
from speechzoo.lm.causal import Heard
from speechzoo.lm.memory import require_memory, weight_files
from speechzoo_echox.audio_adapter import SpeechEncoder
from speechzoo_echox.checkpoint import Checkpoint
from speechzoo_echox.decoding import Choice, decode, drawn, likeliest
from speechzoo_echox.echo_decoder import EchoDecoder
from speechzoo_echox.language_model import EchoXLM
from speechzoo_echox.segments import Segmenter, segments
from speechzoo_echox.speech import GrowingSpeech, Speaker, Speech, clip_of, joined
from speechzoo_echox.vocoder import Vocoder
from speechzoo_echox.whisper import Whisper

_EARS = "whisper"
_EARS_INSIDE = "whisper-large-v3"


@dataclass(frozen=True)
class _Written:
    """Ids of a reply without its end token, and the states that predicted them, [ids, hidden]."""

    ids: list[int]
    states: Tensor
    truncated: bool


class EchoX:
    """Scores and writes as its LLM does, and speaks from that LLM's states.

    Args:
        setup: its folder is a checkpoint in the published layout; its part ``whisper`` is a `Whisper`, by
            default the one in the checkpoint's sub-folder whisper-large-v3.
        temperature: 0 takes the likeliest token; above, tokens are drawn, one ask at a time.
        top_p: of drawn tokens, how much probability those have that may be drawn.
        answer_bos: in chat scores, the beginning-of-text token stands before the answer, as in the
            history of a dialogue, and is not scored.
        score_eot: in chat scores, the end-of-turn token after the answer is scored with it.
        unit_tokens_only: see `Speaker`.
        max_unit_tokens: of one segment of a spoken reply; what is longer is cut and marked as truncated.
        token_budget: most tokens of one forward pass; 0 chooses by device.

    Raises:
        SetupError: the checkpoint, Whisper or the vocoder is not as it must be, the device or the attention
            backend is not there, the weights do not fit the device, or a device map is asked for.
    """

    def __init__(
        self,
        setup: Setup,
        temperature: float = 0.0,
        top_p: float = 0.9,
        answer_bos: bool = True,
        score_eot: bool = False,
        unit_tokens_only: bool = False,
        max_unit_tokens: int = 2048,
        token_budget: int = 0,
    ) -> None:
        if setup.device_map:
            raise SetupError(
                f"{setup.name} is loaded on one device: leave out --device-map {setup.device_map} and name "
                "the device with --device"
            )
        device, dtype = lm.torch_device(setup.device), lm.torch_dtype(setup.dtype)
        checkpoint = Checkpoint.open(setup.files(), setup.attention)
        require_attention(setup, LlamaForCausalLM, checkpoint.llama)
        whisper = _whisper(setup)
        # After Whisper is there, so that what it takes is no longer free.
        require_memory(setup, weight_files(setup.files()))
        ears = SpeechEncoder(checkpoint, whisper, dtype, device)
        llama = checkpoint.language_model(dtype, device)
        self._lm = EchoXLM(llama, checkpoint.tokenizer, setup.name, ears)
        echo = EchoDecoder.of(checkpoint, self._lm.tokens, dtype, device)
        vocoder = Vocoder.load(setup.files(), device)
        self._speaker = Speaker(echo, vocoder, checkpoint.tokenizer, unit_tokens_only, max_unit_tokens)
        self._temperature = temperature
        self._top_p = top_p
        self._answer_bos = answer_bos
        self._score_eot = score_eot
        self._token_budget = token_budget or lm.default_token_budget(device)
        self._seed = setup.seed

    def score(self, asks: Sequence[ScoreAsk]) -> list[ScoreAnswer | Failure]:
        return lm.score(self._lm, [self._in_format(ask) for ask in asks], self._token_budget)

    @torch.inference_mode()
    def reply(self, asks: Sequence[ReplyAsk]) -> list[ReplyAnswer | Failure]:
        heard = lm.hear(self._lm, (ask.dialogue for ask in asks))
        prompts = [self._prompt(ask, heard) for ask in asks]
        written = self._write_all(asks, prompts)
        spoken = self._speak_all(
            {i: row for i, row in enumerate(written) if isinstance(row, _Written) and asks[i].speech}
        )
        return [
            row if isinstance(row, Failure) else self._answer(row, spoken.get(index))
            for index, row in enumerate(written)
        ]

    @torch.inference_mode()
    def stream(self, ask: ReplyAsk) -> Iterator[ReplyAnswer]:
        """The reply in pieces of text, and of speech as soon as the end of a segment is known.

        Texts and clips put together are those of `reply`, but for the rounding of other batches; the last
        piece tells whether they were cut.

        Raises:
            ItemError: a clip could not be heard, the prompt is too long, or no speech came of the text.
        """
        prompt = self._prompt(ask, lm.hear(self._lm, [ask.dialogue]))
        if isinstance(prompt, Failure):
            raise ItemError(prompt.reason, prompt.detail)
        ids: list[int] = []
        steps: list[Tensor] = []
        sound = GrowingSpeech(self._speaker.rate)
        segmenter, told, cut = Segmenter(), "", True
        for tokens, states in decode(self._lm, [prompt], self._choice(ask)):
            if int(tokens[0]) in self._lm.end_ids:
                cut = False
                break
            ids.append(int(tokens[0]))
            steps.append(states[0])
            # Half a character is decoded as a replacement; only what is stable may be told.
            text = self._text(ids).rstrip("\ufffd").rstrip()
            if len(text) > len(told):
                yield ReplyAnswer(text[len(told) :])
                told = text
            segment = segmenter.push(float(self._lm.period_scores(states)[0])) if ask.speech else None
            if segment and (clip := sound.add(self._spoken(steps, segment))):
                yield ReplyAnswer("", clip)
            if len(ids) >= ask.max_tokens:
                break
        segment = segmenter.rest() if ask.speech else None
        if segment and (clip := sound.add(self._spoken(steps, segment))):
            yield ReplyAnswer("", clip)
        rest = sound.rest() if ask.speech else None
        yield ReplyAnswer(self._text(ids)[len(told) :], rest, truncated=cut or sound.truncated)

    def score_plainly(self, ask: ScoreAsk) -> ScoreAnswer | Failure:
        """The slow and obvious way, to test `score` against."""
        return lm.score_plainly(self._lm, self._in_format(ask))

    def close(self) -> None:
        self._lm.close()
        del self._speaker

    def _in_format(self, ask: ScoreAsk) -> ScoreAsk:
        if not ask.chat:
            return ask
        if self._answer_bos and not (ask.context and ask.context[-1].role == "assistant"):
            # An answer begun with nothing: its turn has its beginning-of-text token already.
            ask = replace(ask, context=(*ask.context, assistant("")))
        if self._score_eot:
            ended = tuple(f"{text}<|eot_id|>" for text in ask.continuations)
            ask = replace(ask, continuations=ended)
        return ask

    def _prompt(self, ask: ReplyAsk, heard: Heard) -> Tensor | Failure:
        try:
            prompt = self._lm.embed_context(ask.dialogue, True, heard)
        except ItemError as error:
            return Failure(error.reason, error.detail)
        if len(prompt) + ask.max_tokens > self._lm.max_positions:
            return Failure(
                "too_long",
                f"{len(prompt)} prompt tokens and {ask.max_tokens} for the reply, "
                f"{self._lm.name} takes {self._lm.max_positions}",
            )
        return prompt

    def _choice(self, ask: ReplyAsk) -> Choice:
        if self._temperature == 0:
            return likeliest
        # Torch takes 64 bits; adding the seed to the digest keeps different seeds different.
        state = (int(ask_digest(ask)[:15], 16) + self._seed) % 2**63
        return drawn(self._temperature, self._top_p, state, self._lm.device)

    def _write_all(
        self, asks: Sequence[ReplyAsk], prompts: Sequence[Tensor | Failure]
    ) -> list[_Written | Failure]:
        good = {index: prompt for index, prompt in enumerate(prompts) if isinstance(prompt, Tensor)}
        written: dict[int, _Written | Failure] = {
            index: prompt for index, prompt in enumerate(prompts) if isinstance(prompt, Failure)
        }

        def tokens(index: int) -> int:
            return len(good[index]) + asks[index].max_tokens

        for index, row in in_batches(
            sorted(good, key=tokens, reverse=True),
            tokens,
            self._token_budget if self._temperature == 0 else 0,
            self._lm.token_room,
            lambda batch: self._write([asks[i] for i in batch], [good[i] for i in batch]),
        ):
            written[index] = row or Failure("out_of_memory", f"{tokens(index)} tokens do not fit alone")
        return [written[index] for index in range(len(asks))]

    def _write(self, asks: Sequence[ReplyAsk], prompts: Sequence[Tensor]) -> list[_Written]:
        """Rows side by side; those that have ended go on unheeded."""
        rows: list[list[int]] = [[] for _ in asks]
        cut = [True] * len(asks)
        running = set(range(len(asks)))
        steps: list[Tensor] = []
        for tokens, states in decode(self._lm, prompts, self._choice(asks[0])):
            steps.append(states)
            for row, token in enumerate(tokens.tolist()):
                if row in running and token in self._lm.end_ids:
                    running.remove(row)
                    cut[row] = False
                elif row in running:
                    rows[row].append(token)
                    if len(rows[row]) >= asks[row].max_tokens:
                        running.remove(row)
            if not running:
                break
        states = torch.stack(steps, dim=1)
        return [
            _Written(ids, states[row, : len(ids)], truncated)
            for row, (ids, truncated) in enumerate(zip(rows, cut, strict=True))
        ]

    def _speak_all(self, rows: dict[int, _Written]) -> dict[int, Speech | Failure]:
        pieces = [
            (index, row.states[segment.start : segment.stop])
            for index, row in rows.items()
            for segment in segments(self._lm.period_scores(row.states).tolist())
        ]
        spoken = self._speaker.speak(
            [states for _, states in pieces], self._token_budget, self._lm.token_room
        )
        found: dict[int, list[Speech | None]] = {index: [] for index in rows}
        for (index, _), speech in zip(pieces, spoken, strict=True):
            found[index].append(speech)
        return {index: _whole(own) for index, own in found.items()}

    def _answer(self, row: _Written, speech: Speech | Failure | None) -> ReplyAnswer | Failure:
        answer = ReplyAnswer(self._text(row.ids), truncated=row.truncated)
        if speech is None or isinstance(speech, Failure):
            return speech or answer
        try:
            clip = clip_of(speech.samples, self._speaker.rate)
        except ItemError as error:
            return Failure(error.reason, error.detail)
        return replace(answer, clip=clip, truncated=row.truncated or speech.truncated)

    def _spoken(self, steps: Sequence[Tensor], segment: range) -> Speech:
        states = torch.stack(list(steps[segment.start : segment.stop]))
        [speech] = self._speaker.speak([states], self._token_budget, self._lm.token_room)
        if speech is None:
            raise ItemError("out_of_memory", f"a segment of {len(states)} tokens does not fit alone")
        return speech

    def _text(self, ids: Sequence[int]) -> str:
        return str(self._lm.tokenizer.decode(list(ids), skip_special_tokens=True)).strip()


def _whole(pieces: Sequence[Speech | None]) -> Speech | Failure:
    there = [piece for piece in pieces if piece is not None]
    if len(there) < len(pieces):
        return Failure("out_of_memory", "a segment of the reply does not fit the memory alone")
    return joined(there)


def _whisper(setup: Setup) -> Whisper:
    if _EARS in setup.parts:
        ears: Whisper = setup.part(_EARS)
        return ears
    return Whisper(replace(setup, folder=setup.files() / _EARS_INSIDE))
