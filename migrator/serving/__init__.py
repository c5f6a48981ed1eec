"""`migrator serve`: what the reports show, live in a browser; it reads journals and writes nothing.

sources.py   where the plans lie: a folder of reports, or a database
pages.py     a Summary as pages
access.py    who may look
server.py    the addresses, and what follows when a journal changes
site/        template, style and script
"""
