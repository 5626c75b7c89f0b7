"""The HTTP edge: one table of operations, read for routes, for the OpenAPI document and by the guard tests.

Belongs here: HTTP, authentication headers, parse, call, render. Must never enter: rules, SQL, engines.
"""
