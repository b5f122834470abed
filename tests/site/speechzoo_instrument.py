"""An instrument for testing the runner: a model that logs what it is asked and fails on demand.

It is installed for tests by putting this folder on the path; the ``.dist-info`` beside it makes it a
distribution like any other.
"""

from speechzoo import Capability, ModelSpec, Parameter, ServiceSpec, TaskSpec, hookimpl


@hookimpl
def speechzoo_models():
    return [
        ModelSpec(
            name="instrument",
            target="speechzoo_instrument_parts:InstrumentModel",
            summary="logs every ask and fails on demand",
            capabilities=frozenset(Capability),
            parameters={
                "log": Parameter("", "file that every ask is appended to"),
                "delay": Parameter(0.0, "seconds an ask"),
                "fault": Parameter("", "what to do to every answer, or at the word 'poison'"),
                "bias": Parameter(0.0, "taken off every log-likelihood"),
            },
        )
    ]


@hookimpl
def speechzoo_services():
    return [
        ServiceSpec(
            name="instrument-ears",
            kind="transcriber",
            target="speechzoo_instrument_parts:Ears",
            summary="knows what is said, mishears some of it and fails on demand",
            parameters={
                "log": Parameter("", "file that every clip's digest is appended to"),
                "fault": Parameter("", "what to do with every third clip or so: fail, raise"),
            },
        ),
        ServiceSpec(
            name="instrument-mouth",
            kind="voice",
            target="speechzoo_instrument_parts:Ears",
            summary="is no transcriber",
        ),
    ]


@hookimpl
def speechzoo_tasks():
    return [
        TaskSpec(
            name="arithmetic",
            target="speechzoo_instrument_parts:Arithmetic",
            summary="sums, as text and as tones",
            parameters={
                "count": Parameter(40, "number of items"),
                "poison": Parameter(-1, "which item carries the word the model may fail on"),
                "penalty": Parameter(0.0, "taken off every grade"),
                "wording": Parameter("is", "the verb of the question"),
                "note": Parameter("", "a remark about the data"),
            },
        ),
        TaskSpec(
            name="recordings",
            target="speechzoo_instrument_parts:Recordings",
            summary="endings of what is written or recorded, from a folder",
            parameters={"folder": Parameter("", "holds rows.jsonl and what that names")},
        ),
    ]
