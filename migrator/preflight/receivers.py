"""Receivers of notifications that could not be told."""

from collections.abc import Iterable

from migrator.preflight.finding import Finding


def receiver_findings(silent: Iterable[tuple[str, str, str]]) -> list[Finding]:
    """One for each receiver of `silent`: its name, why it could not be told, and what to do."""
    return [
        Finding(code="PF075", says=f"{name}: {why}", advice=f"{remedy[0].upper()}{remedy[1:]}.")
        for name, why, remedy in silent
    ]
