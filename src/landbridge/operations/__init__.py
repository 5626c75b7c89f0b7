"""One function per API operation: load facts, check rules, write; with its permission and its audit event.

Belongs here: the order of things inside one transaction. Must never enter: HTTP, JSON, SQL text, an engine. An operation
is a plain function `(transaction, call, ask) -> result`; `call.operation` marks it, with the role it needs.
"""
