"""One function per operation of the API. It loads the facts, checks the rules and writes, with an audit event.

Belongs here: the sequence of reads, rules and writes in one transaction. Must never enter: HTTP, JSON, SQL text, an engine. A function
`(transaction, call, request) -> result` becomes an `Operation` with the name and the role that it needs; every edge calls `perform`.
"""

from landbridge.operations.operation import Operation, Submission, perform

__all__ = ["Operation", "Submission", "perform"]
