"""The journal in one SQLite file, written through a write-ahead log.

location.py   the file's place; open and read
store.py      rows in and out, and the check that both agree
reader.py     one question, one snapshot
database.py   the file: schema, promises to the disk, how it is made, opened, and recognised as ours
errors.py     what SQLite raises, as errors for people
"""
