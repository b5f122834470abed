"""GLM-4-Voice's LLM, to which speech is text: clips are tokens of its vocabulary."""

from collections.abc import Sequence
from typing import Self

from torch import Tensor

from speechzoo import ItemError, Setup, SetupError, lm, system
from speechzoo.audio import Samples
from speechzoo.dialogue import Dialogue, Part, clips_of
from speechzoo_glm_4_voice import checkpoint
from speechzoo_glm_4_voice.speech_tokenizer import SpeechTokenizer

BEGIN, END = "<|begin_of_audio|>", "<|end_of_audio|>"
FIRST_CODE = "<|audio_0|>"
ROLES = ("<|system|>", "<|user|>", "<|assistant|>", "<|observation|>")
INSTRUCTION = (
    "User will provide you with a {} instruction. Do it step by step. First, think about the instruction and "
    "respond in a interleaved manner, with 13 text token followed by 26 audio tokens."
)
"""The authors' system prompt, word for word; after speech theirs ends with one more blank."""
_OPENING = "[gMASK]<sop>"


class GlmVoiceLM(lm.CausalLM):
    """Attributes:
    speech_tokenizer: makes the codes of clips.
    first_code: the id of the first audio token; those above are audio tokens, too.
    """

    speech_tokenizer: SpeechTokenizer
    first_code: int

    @classmethod
    def load(cls, setup: Setup) -> Self:
        """From the files of ``glm-4-voice-9b``, and those of ``glm-4-voice-tokenizer`` in its sub-folder.

        Raises:
            SetupError: as of `checkpoint.load_model`, `checkpoint.load_tokenizer` and `SpeechTokenizer.load`,
                or the tokenizer has not the tokens that the model needs.
        """
        folder = setup.files()
        tokenizer = checkpoint.load_tokenizer(folder, setup)
        loaded = cls(checkpoint.load_model(folder, setup), tokenizer, setup.name)
        loaded.speech_tokenizer = SpeechTokenizer.load(folder / "speech-tokenizer", loaded.device)
        codes = loaded.speech_tokenizer.codebook.num_embeddings
        needed = (*ROLES[:3], BEGIN, END, FIRST_CODE, f"<|audio_{codes - 1}|>")
        if lacking := [token for token in needed if len(loaded.ids(token)) != 1]:
            raise SetupError(f"{setup.name}: the tokenizer of {folder} has no token {', '.join(lacking)}")
        loaded.first_code = loaded.ids(FIRST_CODE)[0]
        loaded.end_ids = sorted({*loaded.end_ids, *loaded.ids("<|user|>")})
        return loaded

    def features(self, wave: Samples) -> list[Tensor]:
        return self.speech_tokenizer.features(wave)

    def embed_audio(self, features: Sequence[list[Tensor]]) -> list[Tensor]:
        return [self._embed_ids(self._spoken(segments)) for segments in features]

    def audio_ids(self, waves: Sequence[Samples]) -> list[list[int]]:
        return [self._spoken(self.features(wave)) for wave in waves]

    def close(self) -> None:
        super().close()
        del self.speech_tokenizer

    def _spoken(self, segments: list[Tensor]) -> list[int]:
        """A clip as the model reads it: its audio tokens between the two that begin and end it."""
        codes = [self.first_code + code for code in self.speech_tokenizer(segments)]
        return [*self.ids(BEGIN), *codes, *self.ids(END)]

    def chat_parts(self, dialogue: Dialogue) -> list[Part]:
        """As in the authors' demo; a system prompt of one's own follows theirs, which asks for the format.

        Raises:
            ItemError: a text holds a special token.
        """
        asked = INSTRUCTION.format("speech") + " " if clips_of(dialogue) else INSTRUCTION.format("text")
        own = [part for message in dialogue if message.role == "system" for part in message.parts]
        turns = [message for message in dialogue if message.role != "system"]
        parts: list[Part] = [_OPENING]
        for message in (system(asked, *(["\n", *own] if own else [])), *turns):
            begun = "streaming_transcription\n" if message.role == "assistant" else "\n"
            parts += [f"<|{message.role}|>{begun}", *map(self._plain, message.parts)]
        return _joined([*parts, "<|assistant|>streaming_transcription\n"])

    def _plain(self, part: Part) -> Part:
        tags = (*ROLES, BEGIN, END, "<|audio_", "<|endoftext|>")
        if isinstance(part, str) and (tag := next((one for one in tags if one in part), None)):
            raise ItemError(
                "tag_in_text", f"{part[:60]!r} holds {tag}, which the model would not read as text"
            )
        return part


def _joined(parts: Sequence[Part]) -> list[Part]:
    """With neighbouring texts as one: what is between two special tokens is tokenized as a whole."""
    made: list[Part] = []
    for part in parts:
        if made and isinstance(part, str) and isinstance(made[-1], str):
            made[-1] += part
        else:
            made.append(part)
    return made
