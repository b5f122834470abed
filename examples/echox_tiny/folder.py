"""What lies where in the folder of one training, and the clips it is made of."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from zlib import crc32

SOURCES = ("wordnet", "smollm2")
_HELD_OUT_OF = 25


@dataclass(frozen=True)
class Clip:
    """Text of a clip, and how it goes on.

    Attributes:
        id: also the name of its files.
        spoken: what is heard.
        rest: what follows and is not heard, from its first character, a space, to its full stop.
    """

    id: str
    spoken: str
    rest: str

    @property
    def held_out(self) -> bool:
        """One clip in 25, by its id alone: so a training that is taken up again holds out the same ones."""
        return crc32(self.id.encode()) % _HELD_OUT_OF == 0


@dataclass(frozen=True)
class Folder:
    """Paths below the root."""

    root: Path

    @property
    def speech(self) -> Path:
        return self.root / "speech"

    @property
    def features(self) -> Path:
        return self.root / "features"

    @property
    def whisper(self) -> Path:
        """Whisper tiny as transformers reads it."""
        return self.root / "whisper"

    def text(self, source: str) -> Path:
        return self.root / "text" / f"{source}.jsonl"

    def sound(self, clip: Clip) -> Path:
        return self.speech / f"{clip.id}.opus"

    def clips(self) -> Iterator[Clip]:
        """Of all sources in turn, so that any number of the first ones has all kinds of text."""
        lists = [read_clips(self.text(source)) for source in SOURCES]
        for place in range(max(map(len, lists))):
            yield from (clips[place] for clips in lists if place < len(clips))


def read_clips(path: Path) -> list[Clip]:
    """Those of a file; none if it is not there. A last line without its end was not written whole."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [Clip(**json.loads(line)) for line in lines if line.endswith("\n")]


def clip_line(clip: Clip) -> str:
    return json.dumps(asdict(clip), ensure_ascii=False) + "\n"
