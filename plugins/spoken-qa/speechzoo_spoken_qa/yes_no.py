"""What a reply to a question of yes or no says.

Three ways are tried in order; the first that says anything decides. If it says both, the reply contradicts
itself.

1. The answer is given as such: "the answer is no", "Answer: yes", or the word alone.
2. The reply begins or ends with the word.
3. The last sentence that speaks of what was asked claims it: "you are not back at the start". What is hedged
   ("it would be plausible"), conditional, asked or told of others ("Ann says that Bob tells the truth") is
   no claim.
"""

import re
from collections.abc import Iterator

from speechzoo_spoken_qa.matching import undecorated

_QUOTES = re.compile('["“”]')
_CHOICE = re.compile(r"\b(?:yes\s+or\s+no|no\s+or\s+yes|true\s+or\s+false)\b")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
_WORDS = {"yes": "yes", "true": "yes", "no": "no", "false": "no"}

_END = r"(?=\s*(?:[.,;:!?)\]\n]|[-–—]\s|\Z)|\s+(?:because|since|as)\b)"
_ALONE = re.compile(r"\W*(yes|no|true|false)\W*")
_GIVEN = re.compile(
    r"\b(?:answer|conclusion)\b(?:\s+(?:to|for)\b[^.?!:\n]{0,80}?)?"
    rf"(?:\s+(?:is|would\s+be|should\s+be|must\s+be))?[\s:='‘(\[]+(?:(?:therefore|thus|simply|clearly),?\s+)?"
    rf"(yes|no|true|false)\b['’)\]]*{_END}"
)
_FIRST = re.compile(
    r"\W*(yes|no)\b(?:\s*[,.!;:)\n–—-]|\s*\Z|\s+(?:it|you|we|i|he|she|they|the|this|that|because)\b)"
)
_LAST = re.compile(r"(?:\bis|[,:;–—-]|\bso|\bthus|\btherefore|[.!?\n])\s*(yes|no)\W*\Z")

_NOT = re.compile(
    r"\b(?:not|never|no|nor|neither|nothing|cannot|fails?|failed|hardly|barely|scarcely|without)\b|n['’]t\b"
    r"|\banything\s+but\b"
)
# A clause that ends in a claim and has one of these before it only speaks of the claim.
_HEDGE = re.compile(
    r"\b(?:may|might|could|would|should|needs?|must(?!\s+be\b)|says?|said|claim\w*|state[sd]|accord\w*|ask\w*"
    r"|unclear|unsure|uncertain|questionable|doubt\w*|hard|difficult|impossible|perhaps|maybe|possibly"
    r"|more|less|initially|at\s+first)\b"
    r"|(?:\bnot|n['’]t|\bcannot)\s+(?:be\s+)?(?:sure|certain|clear|know\w*|sa(?:y|id)|conclude\w*|confirm\w*"
    r"|determine\w*|verif\w+|tell\s+(?:if|whether|that))\b"
    r"|(?:\A|(?<!fail)(?<!fails)(?<!failed)\s)to\s+(?:return|get|go|come|reach|arrive|end|bring|lead)\b"
)
# Nothing in a sentence with one of these is claimed outright.
_CONDITION = re.compile(r"\b(?:if|whether|unless|suppos\w+|assum\w+|provided|depend\w*)\b|\?")
_CLAUSE_END = re.compile(r"[,;:]|(?<!anything )\bbut\b|\b(?:and|so|because|since|therefore|thus|hence)\b")

_IS = r"(?:\b(?:am|are|is|was|were|be|been|seems?|sounds?|appears?|looks?)(?:n['’]t)?|['’]s)"
_START = (
    r"(?:the\s+(?:start|beginning|origin)\b(?!\s+of|\w)"
    r"|(?:(?:the|your|my|our|its|their)\s+)?"
    r"(?:(?:same|exact|original|initial)\s+)*"
    r"(?:(?:start(?:ing)?|original|initial)\s+(?:point|position|location|place)"
    r"|(?:(?:point|position|location|place|spot)\s+)?where\s+(?:you|we|i)\s+(?:started|began))\b)"
)
_COME = (
    rf"(?:{_IS}|['’](?:re|m)|\bback|\b(?:end(?:s|ed)?|wind|wound)\s+up"
    r"|\b(?:return|reach|get|come|arrive|bring|lead)(?:s|e?d|ing)?"
    r"|\b(?:got|came|brought|led|brings|leads))"
)
_STAY = (
    r"(?:\s+(?:not|never|indeed|now|still|again|right|exactly|precisely|directly|back|up|you|us|me"
    r"|at|to|in|on|as))*"
)
_STEPS = r"(?:[1-9]\d*|one|two|three|four|five|six|seven|eight|nine|ten)\s+(?:more\s+)?(?:steps?|units?)"
_WAYS = (
    r"(?:\s+(?:to|the|north\w*|south\w*|east\w*|west\w*|left|right|away|far|forwards?|backwards?|ahead|behind"
    r"|in|front|of|from))*"
)
_NOW = r"(?:\s+(?:now|still|currently|exactly|therefore|thus))*"
_PLAIN = (
    r"(?:\s+(?:to\s+be|not|an?|the|very|quite|also|indeed|fully|considered|hardly|barely"
    r"|(?:perfect|entire|complete|total|high)ly))*"
)
# What is claimed, and the same claim's opposite in words of its own.
_CLAIMS = {
    "navigate": (
        rf"{_COME}{_STAY}\s+{_START}",
        rf"(?:{_IS}|['’](?:re|m)|\bend(?:s|ed)?\s+up){_NOW}\s+(?:{_STEPS}|far|away){_WAYS}\s+{_START}",
    ),
    "sports_understanding": (
        rf"{_IS}{_PLAIN}\s+plausible\b|\A\W*plausible\W*\Z|\banything\s+but\s+plausible\b",
        r"\b(?:implausible|unlikely)\b",
    ),
    "web_of_lies": (
        r"\b(?:tell|tells|telling|told)\s+the\s+truth\b|\b(?:is|are|being)(?:n['’]t|\s+not)?\s+truthful\b",
        r"\b(?:lies(?!\s+in\b)|lied|lying|a\s+liar|(?:tell|tells|telling|told)\s+(?:a\s+|the\s+)?lies?)\b",
    ),
}


def said(reply: str, subset: str = "") -> frozenset[str]:
    """``yes``, ``no``, both or neither, by the first of the ways above that finds any.

    Args:
        reply: as text, or as a transcriber wrote it down.
        subset: of BBH (``navigate``, ``sports_understanding``, ``web_of_lies``), for the third way.
    """
    text = _CHOICE.sub(" ", _QUOTES.sub("", undecorated(reply)).lower()).strip()
    ways = (_given(text), _at_the_ends(text), _claimed(text, subset))
    return next((found for way in ways if (found := frozenset(way))), frozenset())


def _given(text: str) -> Iterator[str]:
    if alone := _ALONE.fullmatch(text):
        yield _WORDS[alone[1]]
    yield from (_WORDS[found[1]] for found in _GIVEN.finditer(text))


def _at_the_ends(text: str) -> Iterator[str]:
    if first := _FIRST.match(text):
        yield first[1]
    if last := _LAST.search(text):
        yield last[1]


def _claimed(text: str, subset: str) -> Iterator[str]:
    """What the last sentence that speaks of the matter claims; it need not claim anything."""
    if subset not in _CLAIMS:
        return
    claim, opposite = (re.compile(words) for words in _CLAIMS[subset])
    for sentence in reversed(_SENTENCE_END.split(text)):
        clauses = _CLAUSE_END.split(sentence)
        if any(words.search(clause) for words in (claim, opposite) for clause in clauses):
            if not _CONDITION.search(sentence):
                for clause in clauses:
                    yield from _sides(clause, claim, opposite)
            return


def _sides(clause: str, claim: re.Pattern[str], opposite: re.Pattern[str]) -> Iterator[str]:
    """``yes`` for a claim, ``no`` for a denied one or its opposite; what is hedged says nothing."""
    for words in (claim, opposite):
        for found in words.finditer(clause):
            before = clause[: found.end()]
            denied = _NOT.search(before) is not None
            if not _HEDGE.search(before) and not (denied and words is opposite):
                yield "no" if denied or words is opposite else "yes"
