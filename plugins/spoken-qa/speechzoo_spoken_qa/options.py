"""Which of several options a reply names: a letter, or the option's own text.

Four ways to name one are tried in order; the first that names any option decides. If it names two, the reply
contradicts itself. Nothing is ever guessed.

1. The whole reply is a letter or an option's text.
2. A letter is given as the answer: "the answer is B", "I choose option B", "B is correct".
3. A letter stands as a label does: "option B", "it is B", "(B)", "B." at the start of a line,
   before its own text.
4. An option's text stands in the reply.

What is denied ("not B", "B is wrong", "the wrong answer is B"), listed ("B or C"), doubted, conditional ("if
it is B") or asked is not named. A letter counts only where it cannot be a word or a part of a name: before
the end, a mark, a word like "because", or its own text.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise

from speechzoo_spoken_qa.matching import normalised_tokens, undecorated

MOST_OPTIONS = 26
Texts = Sequence[list[str]]
"""The normalised words of each option."""

_NOUN = "option|choice|letter|answer|sentence"
_BE = r"(?:is|was|would\s+be|should\s+be|must\s+be|will\s+be|has\s+to\s+be|seems\s+to\s+be)"
_ADVERB = "most|likely|probably|clearly|definitely|certainly|therefore|thus|simply|indeed|just"
_FILLER = rf"(?:(?:{_NOUN}|the|{_ADVERB})\s+|[:=]\s*)*"
_OF = r"(?:\s+(?:to|for|here|of)\b[^.?!:\n]{0,80}?)?"
_GIVEN = (
    rf"\b(?:{_NOUN}|one|order|statement){_OF}(?:\s+{_BE}\s*|\s*[:=]\s*|\s+[-–—]\s+){_FILLER}",
    rf"\banswer\s+{_FILLER}",
    rf"\b(?:choose|chose|select|selected|pick|picked|go\s+with|going\s+with|opt\s+for|say)\s*{_FILLER}",
)
_LABELLED = (
    (rf"\b(?:{_NOUN})\s+", ""),
    (rf"\b(?:(?:it|that|this)(?:['’]s|\s+{_BE})|think|believe|guess)\s+{_FILLER}", ""),
    (r"^[\s>#-]*", r"(?:(?<=[)\]])|(?=\s*(?:[.,;:!]|[-–—]\s|\Z|\n|because\b|since\b)))"),
    (r"(?=[(\[])", ""),
)
_AS_SUBJECT = r"(?:(?:^|[.!?:;,\n])\s*|\b(?:so|that|think|believe|say|and|hence|option|choice|sentence)\s+)"
_PRAISE = (
    rf"(?:\s+{_BE}|\s*:)\s+(?:(?:{_ADVERB}|more|the)\s+)*"
    r"(?:correct|right|best|closest|answer|likely|plausible|accurate|appropriate|suitable|logical)\b"
)

_END = re.compile(r"\s*(?:[.,;:!)\]\n]|[-–—]\s|\Z)")
_AS_WORD_END = re.compile(r"\s*(?:[.;:!)\]]|\n|[-–—]\s|\Z)")
_GOES_ON = re.compile(r"\s+(?:because|since|as|is|was|would|which|for|and|but|so|therefore|thus|if)\b", re.I)
_AS_WORD_GOES_ON = re.compile(r"\s+(?:because|since|is|has|follows|sounds)\b", re.I)
_CLAUSE_END = re.compile(r"[.,;:!?\n]|\b(?:because|since)\b")
_AFTER_NOUN = re.compile(rf"(?:\b(?:{_NOUN})\s+|[:=]\s*)\Z", re.I)
_DENIED_AFTER = re.compile(
    r"[)\]:=]*\s*(?:is|was|are|would\s+be|can|could)?\s*"
    r"(?:n['’]t|not\b|never\b|cannot\b|incorrect\b|wrong\b|false\b|ruled\s+out\b)",
    re.I,
)
_FOUND_WRONG = re.compile(
    r"[.:)]?(?!\s*(?:(?:the|all)\s+)*(?:others?|rest|remaining)\b)(?:(?!\b(?:and|but|while|so)\b)[^.,;!?\n])*\b(?:is|are|was)\s+"
    r"(?:incorrect|wrong|false|not\s+(?:correct|right|the))\b",
    re.I,
)
_DENIED_BEFORE = re.compile(
    r"(?:\b(?:not|never|neither|nor|than|instead\s+of|unlike|except|eliminate|exclude|rule\s+out|cannot)|n['’]t)"
    rf"(?:\s+(?:be|the|an?|{_NOUN}|to|i|it|is|choose|choosing|pick|select|say"
    r"|think|sure|true|clear|certain|that|case|really))*\s*[\"'“‘(\[]*\Z",
    re.I,
)
_WITHIN_CLAUSE = r"(?:(?!\b(?:and|but|so|while)\b)[^.,;:!?\n])*\Z"
_WORST = r"(?:incorrect|wrong|false|worst|invalid|unlikely|implausible|least\s+\w+)"
# "The wrong answer is" and "I doubt that it is", but not "if I had to choose I would say".
_OPEN_BEFORE = re.compile(
    rf"\b(?:{_WORST}\s+(?:{_NOUN}|one|statement)\b|(?<!no\s)doubt\w*\b|whether\b|unless\b|if\b(?!\s+i\s+(?:had|have)\b))"
    + _WITHIN_CLAUSE,
    re.I,
)
_QUESTION = re.compile(r"[^.!?\n]*\?")
_DENIALS = frozenset({"not", "never", "neither", "nor", "than", "unlike", "except", "cannot"})
_FAULTS = frozenset({"incorrect", "wrong", "false", "worst"})
_OPEN = frozenset({"doubt", "doubts", "doubtful", "whether", "unless", "if"})
_NOUNS = frozenset({*_NOUN.split("|"), "one", "statement"})
_DENIED_WITHIN = 2
_OPEN_WITHIN = 4


def named_options(reply: str, options: Sequence[str]) -> frozenset[int]:
    """The indices of the options that a reply names, by the first of the ways above that names any.

    Args:
        reply: as text, or as a transcriber wrote it down.
        options: their texts, in the order of their letters; "" where a text is not known.

    Raises:
        ValueError: there are more options than letters.
    """
    if not 0 < len(options) <= MOST_OPTIONS:
        raise ValueError(f"{len(options)} options cannot have the letters A to Z")
    text = undecorated(reply).strip()
    texts = [normalised_tokens(option) for option in options]
    stated = _QUESTION.sub(" ", text)
    ways = ((_whole, text), (_given, stated), (_labelled, stated), (_by_text, stated))
    return next((named for way, told in ways if (named := frozenset(way(told, texts)))), frozenset())


def _whole(text: str, texts: Texts) -> Iterator[int]:
    letter = rf"[\s\"'“‘(\[]*(?:(?:{_NOUN})\b)?[\s:\"'“‘(\[]*([{_letters(len(texts))}])[\s.,:;!)\]\"'”’]*"
    if found := re.fullmatch(letter, text, re.I):
        yield _index(found[1])
    yield from _options_of(text, texts)


def _given(text: str, texts: Texts) -> Iterator[int]:
    for cue in _GIVEN:
        yield from _after(cue, text, texts)
    for found in _letter_after(_AS_SUBJECT, len(texts), _PRAISE).finditer(text):
        if not _is_denied(text, found) and not _is_listed(text, found, len(texts)):
            yield _index(found["letter"])


def _labelled(text: str, texts: Texts) -> Iterator[int]:
    for cue, then in _LABELLED:
        yield from _after(cue, text, texts, then)
    for found in _letter_after("", len(texts)).finditer(text):
        labels = found["letter"].isupper() and _own_text_follows(text, found, texts)
        if labels and _stands_alone(text, found, texts):
            yield _index(found["letter"])


def _by_text(text: str, texts: Texts) -> Iterator[int]:
    """The options whose texts stand in the reply; not within a longer one's, and not where denied."""
    words = normalised_tokens(text)
    spans = [
        (start, start + len(wanted), index)
        for index, wanted in enumerate(texts)
        if wanted
        for start in range(len(words) - len(wanted) + 1)
        if words[start : start + len(wanted)] == wanted
    ]
    for start, end, index in spans:
        within = any(s <= start and end <= e and (e - s) > (end - start) for s, e, _ in spans)
        if not within and not _is_text_denied(words[:start], words[end:]):
            yield index


def _is_text_denied(before: Sequence[str], after: Sequence[str]) -> bool:
    """Whether the words around an option's text deny it or leave it open."""
    clause = before[-_OPEN_WITHIN:]
    wrong = any(one in _FAULTS and noun in _NOUNS for one, noun in pairwise(clause))
    is_open = wrong or not _OPEN.isdisjoint(clause)
    near = before[-_DENIED_WITHIN:], after[:_DENIED_WITHIN]
    return is_open or not _DENIALS.isdisjoint(near[0]) or not _FAULTS.isdisjoint(near[1])


def _after(cue: str, text: str, texts: Texts, then: str = "") -> Iterator[int]:
    """The options whose letters follow a cue; where a letter labels another one's text, that one too."""
    for found in _letter_after(cue, len(texts), then).finditer(text):
        if _stands_alone(text, found, texts):
            yield _index(found["letter"])
            if _is_label(text, found):
                clause = _CLAUSE_END.split(text[found.end() :].lstrip(" \t.,:)"), maxsplit=1)[0]
                yield from _options_of(clause, texts)


def _options_of(text: str, texts: Texts) -> Iterator[int]:
    words = normalised_tokens(text)
    return (index for index, option in enumerate(texts) if words and option == words)


def _stands_alone(text: str, found: re.Match[str], texts: Texts) -> bool:
    """Whether a letter is one, and neither a word nor denied nor one of a list."""
    if _is_denied(text, found) or _is_listed(text, found, len(texts)) or _begins_a_name(text, found, texts):
        return False
    if found["open"] and found["close"]:
        return True
    rest = text[found.end("letter") :]
    named = _AFTER_NOUN.search(text[: found.start("letter")]) is not None
    if found["letter"] in "aiI":
        ends = _AS_WORD_END.match(rest)
        return bool((ends and (named or ends[0].strip())) or (named and _AS_WORD_GOES_ON.match(rest)))
    if _END.match(rest) or _GOES_ON.match(rest) or _own_text_follows(text, found, texts):
        return True
    return named and found["letter"] != "A"


def _is_label(text: str, found: re.Match[str]) -> bool:
    return bool(found["close"]) or text[found.end() : found.end() + 1] in (".", ",", ":", ")")


def _own_text_follows(text: str, found: re.Match[str], texts: Texts) -> bool:
    """Whether a letter stands before its option's text; with a mark between where it might be a word."""
    needs_mark = found["letter"] in "aAI"
    if needs_mark and not _is_label(text, found):
        return False
    return _text_at(text[found.end() :], texts) == _index(found["letter"])


def _begins_a_name(text: str, found: re.Match[str], texts: Texts) -> bool:
    """Whether a letter is the first word of an option's text, such as "B cells"."""
    index = _text_at(text[found.start("letter") :], texts)
    return index is not None and texts[index][0] == found["letter"].lower()


def _text_at(text: str, texts: Texts) -> int | None:
    """The option whose text a text begins with, the longest if there are several."""
    longest = max(sum(map(len, words)) for words in texts)
    words = normalised_tokens(text[: 2 * longest + 40])
    found = [index for index, wanted in enumerate(texts) if wanted and words[: len(wanted)] == wanted]
    return max(found, key=lambda index: len(texts[index]), default=None)


def _is_denied(text: str, found: re.Match[str]) -> bool:
    before, wider = text[: found.start()], text[: found.start("letter")]
    denied = _DENIED_BEFORE.search(before) or _DENIED_BEFORE.search(wider) or _OPEN_BEFORE.search(wider)
    return bool(denied or _DENIED_AFTER.match(text, found.end()) or _FOUND_WRONG.match(text, found.end()))


def _is_listed(text: str, found: re.Match[str], count: int) -> bool:
    before, after = _list_around(count)
    return bool(before.search(text[: found.start("letter")]) or after.match(text, found.end()))


@cache
def _list_around(count: int) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """What stands before and after a letter that is one of several with "or", "and" or commas."""
    letters = _letters(count)
    plain = letters.replace("I", "")
    member = rf"(?:[{plain}{plain[1:].lower()}](?![\w'’])|[aiI](?=\s*(?:[.?!),]|\Z)))"
    noun = rf"(?:(?i:{_NOUN})\s+)?"
    before = (
        rf"(?<![\w'’])[{letters}{letters.lower()}][)\]]?\s*(?:,?\s*(?:or|and|nor|/|&)|,)\s*{noun}[(\[]?\Z"
    )
    after = rf"\s*(?:,?\s*(?:or|and|nor|/|&)|,)\s*{noun}[(\[]?{member}"
    return re.compile(before), re.compile(after)


@cache
def _letter_after(cue: str, count: int, then: str = "") -> re.Pattern[str]:
    """A letter, maybe in quotes or brackets, after a cue."""
    return re.compile(
        rf"{cue}(?<![\w'’.])(?P<open>[(\[\"'“‘]*)(?P<letter>[{_letters(count)}])"
        rf"(?P<close>[)\]\"'”’]*)(?![\w+#]|['’./&-]\w){then}",
        re.I | re.M,
    )


def _letters(count: int) -> str:
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[:count]


def _index(letter: str) -> int:
    return ord(letter.upper()) - ord("A")
