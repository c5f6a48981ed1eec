"""The report as Markdown: a screenful to paste into a ticket or a mail.

- What others wrote (names, messages of the service) stands in code spans, in which nothing is a link, a
  mention or HTML, and whose text can be copied as it is. Remedies are prose, with every such sign escaped.
- It is short whatever happened: long lists end with what was left out, and how much.
- The syntax is that of CommonMark with tables (GitHub, GitLab); it reads well as plain text too.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import BinaryIO

from migrator.reports.causes import Cause
from migrator.reports.glossary import DONE, FAILED, TO_GO
from migrator.reports.headline import headline, next_step
from migrator.reports.summary import Summary
from migrator.reports.tally import Tally
from migrator.reports.untrusted import one_line
from migrator.workflow.beliefs import contradictions

_GROUPS = 6
_MACHINES = 3
_CAUSES = 5
_WAITS = 4
_OWNERS = 5
"""At most so many waves (and targets), machines, causes, sentences, and owners of one cause."""

_LONGEST = 160
"""Characters of one message."""


def write(summary: Summary, stream: BinaryIO) -> None:
    """Write the report to `stream`."""
    stream.write("".join(f"{line}\n" for line in _lines(summary)).encode("utf-8", "replace"))


def _lines(summary: Summary) -> Iterator[str]:
    plan = summary.plan
    yield f"# Migration {prose(plan.name)}"
    yield ""
    yield f"**{prose(headline(summary))}**"
    yield ""
    about = [f"As of {summary.zone.stamp(summary.generated_at)}"]
    if plan.description:
        about.append(f"about {code(plan.description)}")
    if plan.owner:
        about.append(f"ask {code(plan.owner)}")
    yield "; ".join(about) + "."
    yield ""
    yield f"| | images | {DONE.word} | {FAILED.word} | {TO_GO} | |"
    yield "|:--|--:|--:|--:|--:|--:|"
    yield _row("**all**", summary.totals)
    yield from _groups("wave", summary.by_wave)
    yield from _groups("target", summary.by_target)
    yield from _groups("machine", summary.machines.tallies, _MACHINES)
    if summary.failures:
        yield from ("", "## Failures", "")
        for cause in summary.failures[:_CAUSES]:
            yield f"- {_images(cause.count)}: {_what(cause)}"
            if cause.remedy:
                yield f"  - Remedy: {prose(cause.remedy)}"
            if any(cause.owners):
                yield f"  - Owner: {_owners(cause.owners)}"
        yield from _more(summary.failures[_CAUSES:])
    if summary.waits:
        yield from ("", "## Waiting", "")
        yield from (f"- {prose(_cut(sentence))}" for sentence in summary.waits[:_WAITS])
        if (left := len(summary.waits) - _WAITS) > 0:
            yield f"- and {left:,} more"
    against = contradictions(summary.service)
    if against:
        yield from ("", "## Not as believed of the service", "")
        for region, belief, count in against:
            yield f"- {code(region)}: {prose(belief.says)} {count.against:,} times not so."
            yield f"  - {prose(belief.otherwise)}"
    if step := next_step(summary):
        yield from ("", "## Next", "", _COMMANDS.sub(r"`\1`", prose(step)))


def _row(name: str, tally: Tally) -> str:
    # Rounded down, so that 100 % means all.
    share = f"{tally.done * 100 // tally.wanted} %" if tally.wanted else ""
    numbers = (tally.images, tally.done, tally.failed, tally.unfinished)
    return "| " + " | ".join([name, *(f"{number:,}" for number in numbers), share]) + " |"


def _groups(what: str, tallies: Mapping[str, Tally], most: int = _GROUPS) -> Iterator[str]:
    for name, tally in islice(tallies.items(), most):
        yield _row(f"{what} {_in_table(code(name))}" if name else f"no {what}", tally)
    rest = tuple(islice(tallies.values(), most, None))
    if rest:
        added = Tally(counts=tuple(map(sum, zip(*(tally.counts for tally in rest), strict=True))))
        yield _row(f"{len(rest):,} more {what}s", added)


def _more(causes: tuple[Cause, ...]) -> Iterator[str]:
    if causes:
        count = sum(cause.count for cause in causes)
        yield f"- {_images(count)}: {len(causes):,} more {'cause' if len(causes) == 1 else 'causes'}"


def _images(count: int) -> str:
    return f"**{count:,} {'image' if count == 1 else 'images'}**"


def _what(cause: Cause) -> str:
    return (
        " ".join([code(text) for text in (cause.code, _cut(cause.message)) if text]) or "no reason was given"
    )


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _owners(owners: Mapping[str, int]) -> str:
    named = [f"{code(owner) if owner else 'nobody'} ({count:,})" for owner, count in owners.items()]
    more = f" and {len(named) - _OWNERS:,} more" if len(named) > _OWNERS else ""
    return ", ".join(named[:_OWNERS]) + more


# --- Untrusted text -------------------------------------------------------------------------------------

_SYNTAX = re.compile(r"([\\`*_{}\[\]()<>#~!|&$])")
_LIVE = re.compile(r"(@|\\#|[Ww]{3}(?=\.)|:(?=//)|[Mm]ailto)")
_COMMANDS = re.compile(r"\\`((?:migrator run PLAN(?: --retry-failed)?)|--again TARGET/NAME)\\`")
"""What `next_step` puts in backticks, after `prose` escaped them."""


def code(text: str) -> str:
    """The text in a code span: nothing in it means anything."""
    line = one_line(text)
    if not line.strip():
        return "(blank)"
    fence = "`" * (max(map(len, re.findall("`+", line)), default=0) + 1)
    # One blank at each end is taken away again where it would matter.
    pad = " " if "`" in (line[0], line[-1]) or (line[0] == line[-1] == " ") else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def prose(text: str) -> str:
    """The text as running text: no signs that mean anything, and nothing that is made a link or a mention.

    Mentions, references and addresses are found in the text as it is shown, whatever was escaped, so they get
    a blank of no width inside.
    """
    return _LIVE.sub("\\1\u200b", _SYNTAX.sub(r"\\\1", one_line(text)))


def _in_table(span: str) -> str:
    """A code span for a cell of a table, which ends at a bar even inside of code."""
    return re.sub(r"(\\*)\|", r"\1\1\\|", span)
