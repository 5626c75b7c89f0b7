"""Tables, queries and migrations: the only room that opens a transaction.

Belongs here: SQL, the encoding of rows, encryption at rest. Must never enter: rules, statuses, HTTP.
Invariant: what a transaction wrote is acknowledged only after its commit is durable; a PSK or a secret key is never
written in the clear.
"""
