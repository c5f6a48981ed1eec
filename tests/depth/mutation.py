"""Documents changed in their structure: most still pass the parser, and what is behind it is tested."""

import json
import marshal
import random
from typing import Any

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**64), 10**400, 0.5, -0.0, 1e308, 1e-320,
    "", " ", "0", "-1", "null", "\x00", "\ud800", "\u202e", "💥" * 50, "a" * 5000, "IMG.0057", "FAIL",
    "SUCCESS", "2026-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0000-00-00", "1e999", "٣", "../..", "=1+1",
    [], {}, [[]], [None], {"": ""}, [{}] * 3,
)  # fmt: skip
"""Values that something may stand in place of."""


def copied(tree: Any) -> Any:
    """A copy that shares nothing, made ten times as fast as by `copy.deepcopy`."""
    return marshal.loads(marshal.dumps(tree))


def places(tree: Any) -> list[tuple[Any, Any]]:
    """(container, key or index) of everything in a tree."""
    found: list[tuple[Any, Any]] = []
    pending = [tree]
    while pending:
        node = pending.pop()
        members = (
            node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        )
        for key, child in members:
            found.append((node, key))
            pending.append(child)
    return found


def mutated(tree: Any, rng: random.Random) -> Any:
    """The tree with one to four changes."""
    tree = copied(tree)
    for _ in range(rng.randint(1, 4)):
        spots = places(tree)
        if not spots:
            return copied(rng.choice(ODD))
        node, key = rng.choice(spots)
        match rng.randrange(8):
            case 0:
                del node[key]
            case 1 | 2 | 3:
                node[key] = copied(rng.choice(ODD))
            case 4:
                other, there = rng.choice(spots)
                if isinstance(other, dict) or (isinstance(other, list) and there < len(other)):
                    node[key] = copied(other[there])
            case 5:
                node[key] = [copied(node[key]) for _ in range(rng.randint(0, 5))]
            case 6:
                node[key] = {str(rng.choice(("id", "status", "error", "code", "x"))): node[key]}
            case _:
                if isinstance(node[key], str) and node[key]:
                    at = rng.randrange(len(node[key]))
                    node[key] = node[key][:at] + rng.choice(("", "\x00", "é", "9", " ")) + node[key][at + 1 :]
                elif isinstance(node[key], int | float) and not isinstance(node[key], bool):
                    node[key] = -node[key]
    return tree


def as_bytes(tree: Any, rng: random.Random) -> bytes:
    """The document as it arrives; now and then broken as bytes too."""
    data = json.dumps(tree, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
    if rng.random() < 0.1 and data:
        at = rng.randrange(len(data))
        data = data[:at] + bytes([rng.randrange(256)]) * rng.randint(0, 3) + data[at + rng.randint(0, 3) :]
    return data
