"""`migrator init --from`: a plan from a list of disks, or from an export of the machines themselves."""

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from migrator.domain.errors import UsageError
from migrator.domain.sheets import How, Row, Unreadable
from migrator.io.files import read_inventory_bytes
from migrator.io.spreadsheets import guessed, is_workbook, rows_of, sheet_names
from migrator.plan.rvtools import plan_of_rvtools
from migrator.plan.rvtools_tabs import tab_of, tabs
from migrator.plan.scaffold import Scaffold, plan_of_list


def scaffold(source: Path, plan: Path, how: How) -> Scaffold:
    """What to write to `plan`, made from a spreadsheet, or from a folder with an export that has a CSV file
    for each tab. Raises UsageError when that cannot be read."""
    if not source.exists():
        raise UsageError(f"{source}: there is no such file", hint="Name a .csv or .xlsx file, or a folder.")
    try:
        return _read(source, plan, how)
    except Unreadable as error:
        where = f"{source}:{error.row}" if error.row else str(source)
        remedy = error.remedy or "name another file"
        # Where a plan has keys, this command has options.
        for key in ("hidden", "encoding"):
            remedy = remedy.replace(f"write {key} = ", f"give --{key} ").replace(
                f"or {key} = ", f"or --{key} "
            )
        remedy = re.sub(r'(--\w+) "([\w-]+)"', r"\1 \2", remedy)
        remedy = remedy.replace(" below file", "").removesuffix(", ...")
        raise UsageError(f"{where}: {error.reason}", hint=f"{remedy[:1].upper()}{remedy[1:]}.") from None


def _read(source: Path, plan: Path, how: How) -> Scaffold:
    if source.is_dir():
        return _of_files(source, source.name, how)
    data = read_inventory_bytes(str(source))
    if is_workbook(data):
        if found := tabs(sheet_names(data)):
            info, disks = (
                rows_of(data, path=str(source), how=replace(how, sheet=found[tab]))
                for tab in ("vInfo", "vDisk")
            )
            return plan_of_rvtools(info, disks, source=source.name, name=source.stem)
    elif tab_of(source.name):
        return _of_files(source.parent, source.absolute().parent.name, how)
    if source.suffix.lower() not in (".csv", ".xlsx"):
        raise Unreadable(
            "is called neither .csv nor .xlsx", "rename it: the plan reads it again for every run"
        )
    file = os.path.relpath(source, plan.parent)
    rows, guess = rows_of(data, path=str(source), how=how), guessed(data, how)
    made = plan_of_list(rows, file=file, name=source.stem, how=how)
    made.notes += [f"{source} {guess}"] if guess else []
    return made


def _of_files(folder: Path, name: str, how: How) -> Scaffold:
    """A plan of an export that has a file for each tab."""
    found = tabs(sorted(path.name for path in folder.iterdir() if path.suffix.lower() == ".csv"))
    if not found:
        raise Unreadable(
            "has no RVTools export in it: no file is called RVTools_tabvInfo.csv",
            "name a .csv or .xlsx file, or the folder with the files of all tabs",
        )
    notes: list[str] = []

    def rows(tab: str) -> Iterator[Row]:
        path = folder / found[tab]
        data = read_inventory_bytes(str(path))
        if guess := guessed(data, how):
            notes.append(f"{path} {guess}")
        return rows_of(data, path=str(path), how=how)

    made = plan_of_rvtools(rows("vInfo"), rows("vDisk"), source=found["vInfo"], name=name)
    made.notes += notes
    return made
