"""The rules of the API: what is allowed, what the defaults are, and how resources are numbered. Pure functions over (request, facts), and tables.

Belongs here: every sentence of the API pages that constrains a request. A reader can compare the page with the table. Must never enter:
I/O, a clock, random values (`Generated` has both), JSON, our own statuses. A violation names the field as the wire does, because the page
does.
"""
