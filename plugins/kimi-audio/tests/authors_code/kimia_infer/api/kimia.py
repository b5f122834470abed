"""Stands in for the authors' file of this name: the same class, arguments, outcomes, none of their code."""

import torch

from .prompt_manager import CODES, EXTRA, OFFSET, WIDTH, KimiAPromptManager

TEXTS = 270


class Model(torch.nn.Module):
    """Two streams in, two out, one layer of attention, and what it keeps grows."""

    def __init__(self):
        super().__init__()
        self.audio = torch.nn.Embedding(OFFSET + CODES, WIDTH)
        self.text = torch.nn.Embedding(TEXTS, WIDTH)
        self.looked_at = torch.nn.Linear(WIDTH, 3 * WIDTH)
        self.heads = torch.nn.ModuleList(torch.nn.Linear(WIDTH, size) for size in (OFFSET + CODES, TEXTS))
        draws = torch.Generator().manual_seed(0)
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=draws) * 0.4
        # Text is of letters; of the audio stream, codes and the end are likely.
        self.heads[1].bias.data[97:123] += 9
        self.heads[0].bias.data[OFFSET:] += 4
        self.heads[0].bias.data[EXTRA.msg_end] += 6

    def forward(
        self,
        input_ids,
        text_input_ids,
        whisper_input_feature,
        is_continuous_mask,
        position_ids,
        past_key_values,
        return_dict,
    ):
        assert len(input_ids) == 1 and not return_dict and position_ids.shape == input_ids.shape
        states = self.audio(input_ids) + self.text(text_input_ids)
        if whisper_input_feature:
            states[is_continuous_mask] += 0.05 * torch.cat(whisper_input_feature, 1)[0]
        states = states + torch.sin(position_ids[..., None] / (1 + torch.arange(WIDTH)))
        query, key, value = self.looked_at(states).chunk(3, -1)
        if past_key_values is not None:
            key, value = (torch.cat(pair, 1) for pair in zip(past_key_values, (key, value), strict=True))
        later = torch.arange(key.shape[1]) > position_ids[0][:, None]
        scores = (4 * query @ key.transpose(1, 2)).masked_fill(later, -torch.inf)
        states = states + 3 * scores.softmax(-1) @ value
        audio, text = (head(states) for head in self.heads)
        # Text ends now and then, and never at once.
        text[..., EXTRA.kimia_text_eos] = 20 * (position_ids % 41 == 0) - 5.0
        return audio, text, (key, value)


class KimiAudio:
    def __init__(self, model_path, load_detokenizer=True):
        self.alm = Model()
        self.kimia_token_offset = OFFSET
        self.prompt_manager = KimiAPromptManager(model_path=model_path, kimia_token_offset=OFFSET)
        self.detokenizer = load_detokenizer or None
        self.extra_tokens = EXTRA
        self.eod_ids = [EXTRA.msg_end, EXTRA.media_end]

    def _generate_loop(self, audio_input_ids, text_input_ids, max_new_tokens, output_type, **given):
        audio, text, past, ended = audio_input_ids, text_input_ids, None, False
        spoken, written = [], []
        features, mask = given["continous_feature"], given["is_continuous_mask"]
        for step in range(max_new_tokens):
            position = torch.arange(audio.shape[1])[None]
            audio_logits, text_logits, past = self.alm.forward(
                audio, text, features, mask, position, past, False
            )
            features = mask = None
            token = int(text_logits[0, -1].argmax())
            token = EXTRA.kimia_text_blank if ended else token
            if not ended and token == EXTRA.kimia_text_eos:
                ended = True
            elif not ended:
                written.append(token)
            code = EXTRA.kimia_text_blank
            if output_type == "both" and step >= 6:
                drawn = torch.softmax(audio_logits[0, -1] / given["audio_temperature"], -1)
                code = int(torch.multinomial(drawn, 1))
                spoken.append(code)
            if (ended and output_type == "text") or code in self.eod_ids:
                break
            audio, text = torch.tensor([[code]]), torch.tensor([[token]])
        return spoken, written

    @torch.inference_mode()
    def generate(
        self,
        chats,
        output_type="text",
        audio_temperature=0.0,
        audio_top_k=5,
        text_temperature=0.0,
        text_top_k=5,
        max_new_tokens=-1,
    ):
        assert output_type in ("text", "both")
        history = self.prompt_manager.get_prompt(chats, output_type=output_type)
        audio, text, mask = history.to_tensor()
        if output_type == "both":
            # Whatever was asked for: two minutes, the prompt's included.
            max_new_tokens = int(12.5 * 120) - audio.shape[1]
        elif max_new_tokens == -1:
            max_new_tokens = 7500 - audio.shape[1]
        spoken, written = self._generate_loop(
            audio_input_ids=audio,
            text_input_ids=text,
            max_new_tokens=max_new_tokens,
            audio_temperature=audio_temperature,
            is_continuous_mask=mask,
            continous_feature=history.continuous_feature,
            output_type=output_type,
        )
        speech = None
        if self.detokenizer is not None and output_type == "both":
            codes = torch.tensor([one - OFFSET for one in spoken if one >= OFFSET])
            time = torch.arange(1920) / 24_000
            speech = 0.1 * torch.sin(6.28 * (200 + 20 * codes[:, None]) * time).reshape(1, -1)
        return speech, self.prompt_manager.text_tokenizer.decode(written)
