"""Tables, queries and encryption at rest: the only room that opens a transaction.

`database` is the interface of a database, and `sqlite` implements it. Query modules run Statements in a Transaction and know no dialect.
Must never enter: rules, statuses, HTTP.
Invariant: what a transaction wrote is acknowledged only after its commit is durable; a PSK or a secret key is never
written in the clear.
"""
