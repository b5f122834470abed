"""The tokenizer made of tokenizer.model and tokenizer_config.json, without the code beside them."""

from itertools import pairwise

import pytest
from speechzoo_glm_4_voice import checkpoint
from speechzoo_glm_4_voice.tiny import BYTES, FIRST_CODE, FIRST_SPECIAL, MERGED, SPECIAL

TEXTS = ["the hands, these; in the winter", "Zwölf Bäume 树上 \n\n  two\tspaces  ", "12345 don't THE and"]
RANKS = {token: rank for rank, token in enumerate([*BYTES, *MERGED])}


@pytest.fixture(scope="module")
def tokenizer(folder, setup):
    return checkpoint.load_tokenizer(folder, setup)


def merged(word: bytes) -> list[int]:
    """As tiktoken does: the pair of the lowest rank is joined, until no pair is a token."""
    parts = [bytes([value]) for value in word]
    while True:
        joined = [RANKS.get(a + b, len(RANKS)) for a, b in pairwise(parts)]
        if not joined or min(joined) == len(RANKS):
            return [RANKS[part] for part in parts]
        at = joined.index(min(joined))
        parts[at : at + 2] = [parts[at] + parts[at + 1]]


@pytest.mark.parametrize("text", TEXTS)
def test_bytes_are_merged_by_rank(tokenizer, text):
    """Otherwise the model reads texts cut up in a way that it never saw."""
    words = [word for word, _ in tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str(text)]
    decoder = tokenizer.backend_tokenizer.decoder
    expected = [token for word in words for token in merged(decoder.decode([word]).encode())]
    assert tokenizer.encode(text, add_special_tokens=False) == expected
    assert tokenizer.decode(expected) == text


def test_added_tokens_have_the_ids_of_the_files(tokenizer):
    """Otherwise clips are other embeddings: ids have a gap before the first audio token."""
    assert tokenizer.encode("".join(SPECIAL), add_special_tokens=False) == [
        FIRST_SPECIAL + place for place in range(len(SPECIAL))
    ]
    assert tokenizer.encode("a<|audio_0|><|audio_39|>b", add_special_tokens=False) == [
        ord("a"),
        FIRST_CODE,
        FIRST_CODE + 39,
        ord("b"),
    ]
