"""`migrator serve`: what the reports show, live in a browser; it reads journals and writes nothing.

sources.py   where the plans lie: a folder of reports, or a database
plan_of.py   the plan that a journal is about
views.py     what was made of each plan, and when it is made anew
pages.py     a Summary as pages
access.py    who may look
server.py    the addresses, and who is told when a journal changes
site/        template, style and script
"""
