"""What a shell offers after an option, read from the plan that stands on the command line.

A plan that cannot be read offers nothing: a shell is no place for its problems.
"""

from pathlib import Path
from typing import Any

import click

from migrator.cli.options import FAULT_PROFILES

MOST = 500
"""Offers at once: more of them help nobody to choose."""


def scenarios(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Of `simulate --scenario`."""
    from migrator.simulator.settings import SCENARIOS

    return _matching(SCENARIOS, incomplete)


def fault_profiles(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Of `run --simulate`."""
    return _matching(FAULT_PROFILES, incomplete)


def waves(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Of the plan, for `--wave`."""
    plan = _plan(ctx)
    return _matching([wave.name for wave in plan.waves] if plan else [], incomplete)


def keys(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Of its images, for `--again`."""
    plan = _plan(ctx)
    return _matching([image.key for image in plan.images] if plan else [], incomplete)


def conditions(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """For `--only`: what can be asked for, and the values that targets, waves and labels have."""
    plan = _plan(ctx)
    if plan is None:
        return []
    found = dict.fromkeys(f"status=={status}" for status in ("failed", "pending", "succeeded"))
    found |= dict.fromkeys(f"target=={name}" for name in plan.targets)
    found |= dict.fromkeys(f"wave=={wave.name}" for wave in plan.waves)
    for image in plan.images:
        if image.machine:
            found[f"machine=={image.machine}"] = None
        found |= dict.fromkeys(f"label.{label}=={value}" for label, value in image.labels.items())
    return _matching(found, incomplete)


def _plan(ctx: click.Context) -> Any:
    # An option that still waits for its value keeps the arguments before it from being told apart.
    path = ctx.params.get("plan") or next((word for word in ctx.args if word.endswith(".toml")), None)
    if not path:
        return None
    from migrator.cli.wiring import load

    try:
        return load(Path(path))[0]
    except Exception:
        return None


def _matching(words: Any, incomplete: str) -> list[str]:
    return [word for word in words if word.startswith(incomplete)][:MOST]
