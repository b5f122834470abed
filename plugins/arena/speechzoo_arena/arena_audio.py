"""The clips that an arena's page carries: those of disputed battles first."""

from collections.abc import Iterator

from speechzoo_arena.arena_findings import ArenaReport, ShownDialogue


def paths_of(report: ArenaReport) -> Iterator[str]:
    """Of every clip in a report, relative to the arena's folder."""
    for meeting in sorted(report.meetings, key=lambda own: not own.disagree):
        yield from _paths_of(report.dialogues[meeting.dialogue], (meeting.one, meeting.two))


def _paths_of(dialogue: ShownDialogue, systems: tuple[str, str]) -> Iterator[str]:
    for turn in dialogue.turns:
        yield turn.clip
    for system in systems:
        for reply in dialogue.replies.get(system, ()):
            if reply.clip is not None:
                yield reply.clip
