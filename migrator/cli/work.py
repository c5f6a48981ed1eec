"""Which images a run with these options is about, and what it records before it acts. No I/O."""

from collections import Counter
from collections.abc import Container, Iterable, Iterator

from msgspec import Struct

from migrator.cli.common import plural
from migrator.cli.options import Options
from migrator.domain.errors import UsageError
from migrator.domain.image import Decided, Image
from migrator.domain.plan import Plan
from migrator.domain.units import Moment
from migrator.ims.methods import method_for, wish_of
from migrator.workflow.events import ImageEvent
from migrator.workflow.ledger import Ledger, Planned
from migrator.workflow.resume import drifted, images_left, startup_events
from migrator.workflow.states import Phase, State
from migrator.workflow.verdict import Ending, ending


class Work(Struct, frozen=True, kw_only=True):
    """What one run takes care of."""

    keys: list[str]
    """In the plan's order."""

    left_out: int
    """Images that wait for a later run."""

    orphaned: dict[str, int]
    """Targets that the plan no longer has, and how many images may still be on their way there."""


def check_keys(plan: Plan, options: Options) -> None:
    """Raise UsageError for a --again that names no image of the plan, a --wave that it does not have, or an
    --only that no image of it can match."""
    names = [wave.name for wave in plan.waves]
    if options.wave is not None and options.wave not in names:
        there = f"Its waves are {', '.join(names)}." if names else "It has none: see [[waves]] in the plan."
        raise UsageError(f"--wave {options.wave!r}: the plan has no such wave", hint=there)
    if options.only is not None:
        options.only.check(plan.images)
    if options.again and (unknown := options.again.difference(image.key for image in plan.images)):
        raise UsageError(
            f"--again {min(unknown)!r}: the plan has no such image",
            hint="A key is TARGET/NAME, as reports and `migrator status` show it.",
        )


def check_same_plan(plan: Plan, ledger: Ledger) -> None:
    """Raise UsageError for a plan that shares no image with what its journal holds: two plans of one name."""
    held = [key for key, state in ledger.states.items() if not state.removed]
    if not held or not plan.images or any(image.key in ledger.states for image in plan.images):
        return
    raise two_plans(plan.name, len(held), held[0])


def two_plans(name: str, held: int, such_as: str) -> UsageError:
    """What to say of a plan whose name belongs to another one's journal."""
    return UsageError(
        f"the journal of plan {name} holds {plural(held, 'image')}, such as {such_as}, and none of them is "
        "in this plan: another plan bears this name",
        hint="Give this plan a name of its own ([plan] name). Nothing was changed.",
    )


def decided_offline(images: Iterable[Image]) -> dict[str, Decided]:
    """How images go in whose plan leaves that open, by key, where nobody asks about their files.

    Raises UsageError where that decides.
    """
    found, open_ones = {}, []
    for image in images:
        if image.undecided:
            choice = method_for(wish_of(image))
            if choice.method is None:
                open_ones.append(f"{image.key} ({choice.why})")
            else:
                found[image.key] = Decided(choice.method.key, choice.why)
    if open_ones:
        raise UsageError(
            f"--no-preflight: preflight would decide how {plural(len(open_ones), 'image')} of method auto "
            f"{'goes' if len(open_ones) == 1 else 'go'} in: {open_ones[0]}",
            hint='Leave --no-preflight out, or write method = "quick" or "normal" for them.',
        )
    return found


def undecided(images: Iterable[Image]) -> list[str]:
    """What is left for preflight to decide about how images go in, a sentence each."""
    open_ones = Counter(
        choice.why
        for image in images
        if image.undecided
        and (choice := method_for(wish_of(image))).method is None
        and choice.objection is None
    )
    return [f"{plural(count, 'image')}: preflight decides: {why}" for why, count in open_ones.items()]


def selected_keys(plan: Plan, ledger: Ledger, options: Options) -> frozenset[str] | None:
    """Keys that --only, --wave and --again select, by what is known before the run; None for every one."""
    if options.only is None and options.wave is None:
        return None
    fresh = State(key="")
    keys = {
        image.key
        for image in plan.images
        if (options.wave is None or image.wave == options.wave)
        and (options.only is None or options.only(image, ledger.states.get(image.key, fresh)))
    }
    return options.again | keys


def events_at_start(
    items: dict[str, Planned],
    ledger: Ledger,
    options: Options,
    now: Moment,
    selected: frozenset[str] | None,
) -> Iterator[ImageEvent]:
    """What a run with these options records before it acts."""
    return startup_events(
        items, ledger, now, retry_failed=options.retry_failed, again=options.again, selected=selected
    )


def failed_ones(ledger: Ledger, keys: Iterable[str]) -> int:
    """How many of `keys` failed and will not be tried again."""
    return sum(ledger.states[key].phase is Phase.FAILED for key in keys if key in ledger.states)


def edited(ledger: Ledger) -> list[str]:
    """What is to be said of images whose entry was edited after they were submitted; empty without any."""
    keys = drifted(ledger)
    if not keys:
        return []
    named = ", ".join(keys[:_NAMED]) + (f" and {len(keys) - _NAMED:,} more" if len(keys) > _NAMED else "")
    one = len(keys) == 1
    what = "1 image was" if one else f"{len(keys):,} images were"
    stays = "stays" if one else "stay"
    return [f"{what} edited in the plan after import and {stays} as imported: {named}; anew with --again KEY"]


_NAMED = 3


def choose(plan: Plan, ledger: Ledger, limit: int | None, selected: Container[str] | None = None) -> Work:
    """Everything that is on its way in the cloud, and at most `limit` images that are yet to be submitted.

    Of those, only the `selected` ones; all of them if that is None.
    """
    keys: list[str] = []
    orphaned: Counter[str] = Counter()
    fresh = left_out = 0
    targets, pending = plan.targets, Phase.PENDING
    for key, item, state in images_left(ledger):
        if (target := item.image.target) not in targets:
            orphaned[target] += 1
        elif state.phase is not pending:
            keys.append(key)
        elif (limit is None or fresh < limit) and (selected is None or key in selected):
            fresh += 1
            keys.append(key)
        else:
            left_out += 1
    return Work(keys=keys, left_out=left_out, orphaned=dict(orphaned))


def ending_of_plan(chosen: Ending, ledger: Ledger, work: Work) -> Ending:
    """The ending of a run that came to its own end, judged by the plan and not only by what it chose.

    An earlier run's failures, which this one left alone, are not forgotten in an "all succeeded".
    """
    if chosen.exit_code not in (0, 3):
        return chosen
    states = [state for state in ledger.states.values() if not state.removed]
    of_plan = ending(states, halted=[], stopped=None, threshold_reached=False)
    left = work.left_out + sum(work.orphaned.values())
    if left:
        reason = f"the chosen images are done; {left} more are not finished, run again to continue"
        return Ending(reason=reason, exit_code=7)
    return of_plan if of_plan.exit_code == 3 else chosen
