"""What ``--device`` names: one device, or several that share the work."""

import re

from speechzoo.errors import SpeechzooError

_DEVICE = re.compile(r"(?P<name>[a-z]+(:\d+)?)(\s*x\s*(?P<count>[1-9]\d*))?")


def read_devices(text: str) -> tuple[str, ...]:
    """The devices in a text, one for each worker: ``cuda:0,cuda:1``, ``cpu x2``, ``cuda:0 x2, cuda:1``.

    Raises:
        SpeechzooError: the text is not of this form, or names devices of several kinds, which round
            differently.
    """
    devices: list[str] = []
    for part in text.split(","):
        found = _DEVICE.fullmatch(part.strip())
        if found is None:
            raise SpeechzooError(
                f"--device {text!r}: {part.strip()!r} is no device; say cpu, cuda or cuda:1, several with "
                "commas (cuda:0,cuda:1), or several workers on one ('cpu x2')"
            )
        devices += [found["name"]] * int(found["count"] or 1)
    if len(kinds := {device_kind(device) for device in devices}) > 1:
        raise SpeechzooError(
            f"--device {text!r} names devices of several kinds ({', '.join(sorted(kinds))}), which round "
            "differently; the devices of one run are of one kind"
        )
    return tuple(devices)


def device_kind(device: str) -> str:
    """``cuda`` of ``cuda:1``."""
    return device.partition(":")[0]
