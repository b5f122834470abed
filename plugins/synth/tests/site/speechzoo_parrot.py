"""A voice and ears that understand each other to the letter, except where a text asks them not to."""

from speechzoo import Parameter, ServiceSpec, hookimpl


@hookimpl
def speechzoo_services():
    return [
        ServiceSpec(
            name="parrot",
            kind="voice",
            target="speechzoo_parrot_parts:Parrot",
            summary="says texts as samples, mumbles at full speed and fails on demand",
            parameters={"speed": Parameter(1.0, "of the speech")},
        ),
        ServiceSpec(
            name="parrot-plain",
            kind="voice",
            target="speechzoo_parrot_parts:Parrot",
            summary="the same without parameters",
        ),
        ServiceSpec(
            name="parrot-ears",
            kind="transcriber",
            target="speechzoo_parrot_parts:Ears",
            summary="reads the samples",
        ),
    ]
