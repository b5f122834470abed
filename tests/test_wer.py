"""Error rates against values computed by hand, in English, Chinese, Japanese and mixtures."""

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechzoo.wer import normalised, word_error_rate


@pytest.mark.parametrize(
    ("reference", "hypothesis", "rate"),
    [
        ("The colour of my 2 dogs.", "the color of my two dogs", 0.0),
        ("one cat sat down here", "one bat sat here now", 3 / 5),  # a substitution, a deletion, an insertion
        ("Hello there!", "", 1.0),
        ("hello", "well hello to you", 3.0),
        ("?!", "", 0.0),
        ("", "hello", 1.0),
        ("I won't go", "i will not go", 0.0),
    ],
)
def test_english_is_counted_in_words(reference: str, hypothesis: str, rate: float) -> None:
    """Otherwise: the reports' word error rates are not those of the field."""
    assert word_error_rate(reference, hypothesis) == pytest.approx(rate)


@pytest.mark.parametrize(
    ("reference", "hypothesis", "rate"),
    [
        ("今天天气很好", "今天天气很好", 0.0),
        ("今天天气很好", "今天天汽很好", 1 / 6),  # one character of six
        ("今天天气很好", "今天 天气，很好。", 0.0),  # spaces and punctuation between characters
        ("今天天气很好", "明天天气不很好吗", 3 / 6),  # one substituted, two inserted
        ("今天天气很好", "今天很好", 2 / 6),
        ("今天天气很好", "", 1.0),
        ("“好”，（是）吗？！", "好吗", 0.0),  # what stands in brackets is dropped, wide or not
        ("我有２０本书，３．５元", "我有20本书3.5元", 0.0),  # full width is not another number
        ("我有20本书", "我有二十本书", 2 / 5),  # 我 有 20 本 书: one substituted, one inserted
        ("漢字", "汉字", 1 / 2),
        ("我们去", "we go", 3 / 3),  # two substituted, one deleted
        ("〇人々𠮷", "〇人々𠮷", 0.0),
        ("〇人々𠮷", "〇人𠮷", 1 / 4),
    ],
)
def test_chinese_is_counted_in_characters(reference: str, hypothesis: str, rate: float) -> None:
    """Otherwise: a sentence with one wrong character is wholly wrong, and every Mandarin clip is."""
    assert word_error_rate(reference, hypothesis) == pytest.approx(rate)


@pytest.mark.parametrize(
    ("reference", "hypothesis", "rate"),
    [
        ("我用Python写代码", "我用 python 写代码", 0.0),
        ("我用Python写代码", "我用派森写代码", 2 / 6),  # 我 用 python 写 代 码
        ("这个 deep learning 很难", "这个 deep yearning 很难", 1 / 6),
        ("我用python three", "我用python free", 1 / 4),
    ],
)
def test_mixed_text_is_counted_in_characters_and_words(reference: str, hypothesis: str, rate: float) -> None:
    """Otherwise: an English word in a Mandarin sentence counts by its letters, or swallows its neighbours."""
    assert word_error_rate(reference, hypothesis) == pytest.approx(rate)


@pytest.mark.parametrize(
    ("reference", "hypothesis", "rate"),
    [
        ("コーヒーを飲む", "ｺｰﾋｰを飲む。", 0.0),  # half-width letters
        ("コーヒーを飲む", "コーヒを飲む", 1 / 7),
        ("がっこう", "か\u3099っこう", 0.0),  # a letter and its mark apart
    ],
)
def test_japanese_is_counted_in_characters(reference: str, hypothesis: str, rate: float) -> None:
    """Otherwise: a Japanese sentence is one word, and right or wrong as a whole."""
    assert word_error_rate(reference, hypothesis) == pytest.approx(rate)


def test_the_reference_s_script_decides() -> None:
    """Otherwise: one foreign character that a recogniser dreams up changes how English is counted."""
    assert word_error_rate("twenty dogs", "20 dogs 好好好") == pytest.approx(1 / 2)
    assert word_error_rate("好", "it's twenty") == pytest.approx(3.0)  # it, s, twenty


@given(st.text(st.characters(max_codepoint=0x2FF)), st.text(st.characters(max_codepoint=0x2FF)))
def test_text_without_such_characters_is_english_as_ever(reference: str, hypothesis: str) -> None:
    """Otherwise: figures of earlier runs cannot be compared with new ones."""
    expected, heard = normalised(reference), normalised(hypothesis)
    if expected:
        assert word_error_rate(reference, hypothesis) == jiwer.wer(expected, heard)
    else:
        assert word_error_rate(reference, hypothesis) == float(bool(heard))


@given(st.text("天地人ABあア。，1 ", min_size=1), st.text("天地人ABあア。，1 "))
def test_a_text_is_itself_and_changes_are_bounded(reference: str, hypothesis: str) -> None:
    """Otherwise: an error rate is negative, or a perfect transcript has errors."""
    assert word_error_rate(reference, reference) == 0.0
    assert 0.0 <= word_error_rate(reference, hypothesis) <= max(1, len(hypothesis))
