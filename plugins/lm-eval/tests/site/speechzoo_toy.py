"""A model, a voice and a transcriber that take no time, for tests of the bridge."""

from speechzoo import Capability, ModelSpec, Parameter, ServiceSpec, TaskSpec, hookimpl


@hookimpl
def speechzoo_models():
    parameters = {
        "log": Parameter("", "file that every ask is appended to", decides=False),
        "deaf": Parameter(False, "understands no clip"),
        "fault": Parameter("", "what to do when an ask mentions the word 'poison'"),
        "exit_after": Parameter(0, "asks after which the process ends at once", decides=False),
    }
    return [
        ModelSpec(
            name="toy",
            target="speechzoo_toy_parts:Toy",
            summary="knows colours",
            capabilities=frozenset(Capability) - {Capability.STREAM},
            parameters=parameters,
        ),
        ModelSpec(
            name="mute",
            target="speechzoo_toy_parts:Toy",
            summary="replies and has no scores",
            capabilities=frozenset({Capability.TEXT_IN, Capability.TEXT_OUT}),
            parameters=parameters,
        ),
    ]


@hookimpl
def speechzoo_services():
    return [
        ServiceSpec("toy-voice", "voice", "speechzoo_toy_parts:ToyVoice", "one tone a letter"),
        ServiceSpec("toy-ears", "transcriber", "speechzoo_toy_parts:ToyEars", "knows what is said"),
    ]


@hookimpl
def speechzoo_tasks():
    kind = Parameter("dialogue", "what is asked", ("dialogue", "contexts", "clips", "lengths"))
    return [
        TaskSpec("chatter", "speechzoo_toy_parts:Chatter", "what is no document", parameters={"kind": kind})
    ]
