"""What is allowed, what is the default, how things are numbered: pure functions over (request, facts), and tables.

Belongs here: every sentence of the API pages that constrains a request, so that a reader can hold the page beside the
table. Must never enter: I/O, a clock, random values (both are given as `Generated`), JSON, statuses of our own. A
violation names the field as the wire does, because the page does.
"""
