"""The journal in one SQLite file, written through a write-ahead log.

location.py   the file's place; open and read
store.py      the one who writes
content.py    what the file says, fetched first and then read
rows.py       what stands in a row
kinds.py      the number of each kind of event
totals.py     how much there is, by which damage is found
wal.py        the log, kept small beside readers
earlier.py    files of earlier versions
reader.py     one question, one snapshot
database.py   the file: schema, promises to the disk, how it is made, opened, and recognised as ours
errors.py     what SQLite raises, as errors for people
"""
