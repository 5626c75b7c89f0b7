"""The JSON of the v5 API, exactly, and of our own /landbridge paths: shapes, parsing, rendering, errors, pages.

Belongs here: everything that knows a field's name on the wire. Must never enter: rules, storage, HTTP machinery.
A request model only checks shape (types and nesting); it lists everything that is wrong at once.
"""
