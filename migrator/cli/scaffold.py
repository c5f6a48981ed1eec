"""`migrator init --from`: a plan from a list of disks, or from an export of the machines themselves."""

import os
from pathlib import Path

from migrator.domain.errors import UsageError
from migrator.domain.sheets import Unreadable
from migrator.io.files import read_inventory_bytes
from migrator.io.spreadsheets import is_workbook, rows_of, sheet_names
from migrator.plan.rvtools import is_rvtools, plan_of_rvtools
from migrator.plan.scaffold import Scaffold, plan_of_list


def scaffold(source: Path, plan: Path) -> Scaffold:
    """What to write to `plan`, made from a spreadsheet. Raises UsageError when that cannot be read."""
    if not source.exists():
        raise UsageError(f"{source}: there is no such file", hint="Name a .csv or .xlsx file.")
    try:
        data = read_inventory_bytes(str(source))
        if is_workbook(data) and is_rvtools(sheet_names(data)):
            info, disks = (rows_of(data, path=str(source), sheet=sheet) for sheet in ("vInfo", "vDisk"))
            return plan_of_rvtools(info, disks, source=source.name, name=source.stem)
        if source.suffix.lower() not in (".csv", ".xlsx"):
            raise Unreadable(
                "is called neither .csv nor .xlsx", "rename it: the plan reads it again for every run"
            )
        file = os.path.relpath(source, plan.parent)
        return plan_of_list(rows_of(data, path=str(source)), file=file, name=source.stem)
    except Unreadable as error:
        where = f"{source}:{error.row}" if error.row else str(source)
        remedy = error.remedy or "name another file"
        hint = f"{remedy[:1].upper()}{remedy[1:].removesuffix(', ...')}."
        raise UsageError(f"{where}: {error.reason}", hint=hint) from None
