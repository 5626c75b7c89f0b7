"""The HTTP server: listening sockets, TLS, connections and their limits, and the worker processes. It speaks ASGI to the application.

    listener    the listening socket, the certificate
    clients     how many connections each client address may have
    head        a request's head, from bytes (pure)
    chunks      a chunked body, from bytes (pure)
    connection  one client's connection: reads one request at a time
    exchange    one request and its answer, as ASGI sees them
    serve       accepts, counts, looks at the time, ends in good order
    workers     the other processes that answer: started, listened to, replaced
    systemd     what the process tells systemd
    heartbeat   when the agent last looked at all gateways, for every process

Invariant: what a client can make this process keep is bounded before anything is known of the client. A connection has one request in
work and reads no further until that request is answered and the answer is taken.
"""
