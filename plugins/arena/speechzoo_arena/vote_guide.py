"""What a voter is asked to judge, by dimension; the texts are our own."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Guide:
    """What stands above a dialogue.

    Attributes:
        dimension: what is judged, in a word or two.
        question: what to decide.
        points: what to listen for.
    """

    dimension: str
    question: str
    points: tuple[str, ...]


RULE = (
    "Judge all turns together. The user is the same in both dialogues. Neither being heard first nor a "
    "longer reply is a merit."
)

GENERAL = Guide(
    "The whole conversation",
    "Which assistant was the better partner?",
    (
        "It understands what the user says, and how.",
        "What it replies is right, helpful and fitting.",
        "It sounds like somebody one would like to go on talking to.",
    ),
)

GUIDES = {
    "semantic": Guide(
        "What is said",
        "Which assistant understood better, and said the better things?",
        (
            "It understands the user, and remembers the turns before.",
            "What it says is right and helps.",
            "It leads the conversation sensibly: it asks back where need be, and corrects itself.",
            "It does not help to do harm.",
        ),
    ),
    "paralinguistic": Guide(
        "How it is said",
        "Which assistant heard better how the user speaks, and spoke more fittingly itself?",
        (
            "It notices mood, emphasis, pace, age or accent, and replies to that.",
            "Its own voice fits: warm, brisk, slow or quiet as the moment asks for.",
            "Where the user wants a manner of speaking, it is to be heard.",
        ),
    ),
    "ambient": Guide(
        "What else is to be heard",
        "Which assistant dealt better with the sounds around the user?",
        (
            "It notices noises, music or other people where they matter to the reply.",
            "It is not misled by them where they do not matter.",
            "It still understands the user.",
        ),
    ),
}
"""By the group of a dialogue."""


def guide_of(group: str) -> Guide:
    return GUIDES.get(group, GENERAL)
