"""The SQLite journal: `Journal.open` to run, `Journal.read` to look while somebody else runs.

    caller's loop    append: check, advance, encode, wait ─┐            ┌─ the ledger moves on, callers go on
    journal thread                                         └─ one commit ┘

All thinking happens on the loop and all SQLite in the thread; between them travel lists of rows one way and
one wake-up a commit the other way. While one commit is on its way to the disk, whatever is appended waits and
becomes the next, so a lone writer never waits for company and a crowd shares one sync.
"""

from migrator.edges.journal.journal import Journal
from migrator.edges.journal.reader import JournalReader

__all__ = ["Journal", "JournalReader"]
