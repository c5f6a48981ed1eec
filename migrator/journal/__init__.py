"""The journal: every event, durable before anybody acts on it.

    port.py          what the engine and the commands ask of a journal, whatever keeps it
    stores.py        the stores by name; a plan's folder → its journal
    group_commit.py  the part that every store shares: check, encode, batch; fold once it is durable
    writer.py        carries batches to a store: in a thread of its own, or within the loop
    store.py         what a store has to do: load, commit, close
    lock.py          one writer at a time, for stores that are files
    sqlite/          the store on disk
    memory.py        the store in memory: for tests, and as the shortest example of one

    caller's loop    append: check, advance, encode, wait ─┐            ┌─ the ledger moves on, callers go on
    writer's thread                                        └─ one commit ┘

All thinking happens on the loop and all writing in the thread; between them travel batches of rows one way
and one callback for each commit the other way. While one commit is on its way to the disk, whatever is
appended waits and becomes the next, so a lone writer never waits for company and many callers share a sync.
"""
