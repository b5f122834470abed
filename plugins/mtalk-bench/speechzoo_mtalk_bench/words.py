"""Counts of words in English replies."""

import re

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


def words_in(text: str) -> list[str]:
    """Runs of letters and digits, in lower case."""
    return _WORD.findall(text.lower().replace("’", "'"))


FUNCTION_WORDS = frozenset(
    words_in(
        """
        a about above after again against all also am an and any are aren't as at be because been before
        being below between both but by can can't cannot could couldn't did didn't do does doesn't doing
        don't down during each few for from further had hadn't has hasn't have haven't having he he'd he'll
        he's her here here's hers herself him himself his how how's i i'd i'll i'm i've if in into is isn't
        it it's its itself just let's me more most mustn't my myself no nor not now of off oh ok okay on
        once only or other our ours ourselves out over own same shall she she'd she'll she's should
        shouldn't so some such than that that's the their theirs them themselves then there there's these
        they they'd they'll they're they've this those through to too under until up us very was wasn't we
        we'd we'll we're we've well were weren't what what's when when's where where's which while who who's
        whom why why's will with won't would wouldn't yes you you'd you'll you're you've your yours yourself
        yourselves
        """
    )
)


def content_density(text: str) -> float | None:
    """Distinct content words as a share of all content words; None if there is none.

    Content words are those that are no `FUNCTION_WORDS`. This is our definition: the one behind MTalk-Bench's
    "content density" is not known.
    """
    content = [word for word in words_in(text) if word not in FUNCTION_WORDS]
    return len(set(content)) / len(content) if content else None
