"""Files of disks, as far as their bytes matter, and an inspection walked by hand."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from migrator.domain.disk_header import ByteRange, DiskHeader
from migrator.domain.disk_inspection import inspected

CASES = Path(__file__).parent / "cases/disk_headers"


@dataclass
class SparseFile:
    """A file of `size` bytes that are zero but for `pieces`, by offset; `asked` is what was read of it."""

    size: int
    pieces: dict[int, bytes] = field(default_factory=dict)
    name: str = ""
    asked: list[ByteRange] = field(default_factory=list)

    def read(self, wanted: ByteRange) -> bytes:
        first, last = wanted
        if first is None:
            first, last = max(self.size - last, 0), self.size - 1
        last = min(last, self.size - 1)
        found = bytearray(last - first + 1)
        for offset, piece in self.pieces.items():
            begin, end = max(offset, first), min(offset + len(piece), last + 1)
            if begin < end:
                found[begin - first : end - first] = piece[begin - offset : end - offset]
        return bytes(found)

    def header(self) -> DiskHeader:
        """What `inspected` says of it."""
        inspection = inspected(self.size, self.name)
        try:
            wanted = next(inspection)
            while True:
                self.asked.append(wanted)
                wanted = inspection.send(self.read(wanted))
        except StopIteration as end:
            found: DiskHeader = end.value
            return found


def a_case(name: str) -> tuple[SparseFile, dict[str, Any]]:
    """A file that qemu-img made, and what qemu-img says of it."""
    case = json.loads((CASES / f"{name}.json").read_text(encoding="utf-8"))
    pieces = {int(offset): bytes.fromhex(piece) for offset, piece in case["bytes"].items()}
    return SparseFile(size=case["size"], pieces=pieces, name=case["file"]), case["qemu_says"]


CASE_NAMES = sorted(path.stem for path in CASES.glob("*.json"))
