"""Players for testing an arena: systems of known length of speech, and judges whose bias is known.

It is installed for tests by putting this folder on the path; the ``.dist-info`` beside it makes it a
distribution like any other.
"""

from speechzoo import Capability, ModelSpec, Parameter, ServiceSpec, TaskSpec, hookimpl


@hookimpl
def speechzoo_models():
    return [
        ModelSpec(
            name=name,
            target="speechzoo_players_parts:Player",
            summary="says so many words, a fifth of a second each",
            capabilities=frozenset(
                {Capability.AUDIO_IN, Capability.TEXT_IN, Capability.TEXT_OUT, Capability.SPEECH_OUT}
                | {Capability.MULTI_TURN}
            ),
            parameters={
                "words": Parameter(words, "in the first turn; one more in each later one"),
                "says": Parameter("word", "the word"),
                "silent": Parameter("", "fails where the user says this"),
            },
        )
        for name, words in (("short", 2), ("middle", 4), ("long", 8))
    ]


@hookimpl
def speechzoo_services():
    log = {
        "log": Parameter("", "file that a line is appended to for each ask"),
        "delay": Parameter(0.0, "seconds an ask"),
        "fault": Parameter("", "what to do with every third ask or so: unreachable, no-form; no-key at once"),
        "price": Parameter(-1.0, "US dollars an ask"),
        "hears": Parameter(False, "is given clips"),
        "longest_seconds": Parameter(0.0, "of an ask; 0 for no limit"),
    }
    return [
        ServiceSpec(name, "judge", f"speechzoo_players_parts:{target}", f"judge: {name}", parameters=log)
        for name, target in (("longer", "Longer"), ("always-first", "AlwaysFirst"), ("moody", "Moody"))
    ] + [
        ServiceSpec(
            "counting-ears", "transcriber", "speechzoo_players_parts:Ears", "a word a fifth of a second"
        )
    ]


@hookimpl
def speechzoo_tasks():
    return [
        TaskSpec(
            name="chats",
            target="speechzoo_players_parts:Chats",
            summary="dialogues of two turns",
            parameters={
                "count": Parameter(8, "dialogues"),
                "history": Parameter("text", "an option"),
                "folder": Parameter("", "where the user's clips lie"),
            },
            parts={"transcriber": "counting-ears", "judge": ""},
        ),
        TaskSpec(
            name="questions",
            target="speechzoo_players_parts:Questions",
            summary="one spoken question",
            parts={"transcriber": ""},
        ),
    ]
