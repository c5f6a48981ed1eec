"""The journal in PostgreSQL, for plans whose run outlives its machine.

location.py    a plan's place in a database; open and read
store.py       rows in and out, fenced: what an owner writes lands only while it is the owner
claim.py       who owns a plan, or one target of it; taking it over from a process that is dead
heartbeat.py   the life sign of this process, and the lease that it gives
handover.py    plans that were handed to workers, and how far each target has come
reader.py      one question, one snapshot
schema.py      the tables, and how they are made and recognised
connection.py  the address of a database; connections
errors.py      what PostgreSQL says, as errors for people

Nothing of this is imported before somebody names such a database.
"""
