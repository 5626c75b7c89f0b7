"""The engine that makes real tunnels: one strongSwan daemon per gateway, in a network namespace of its own.

Belongs here: everything that speaks VICI or netlink, and the pure modules that decide what is spoken. Must never enter: statuses,
diagnosis, the rules of the API. Invariant: the names of what is loaded say from which configuration it was made, so the engine
remembers nothing.

One cycle: `engine` observes with the rooms `network` and `ike`, `target` says what the gateway must have, `planning` orders the steps, the
rooms carry them out, and `reports` says what is true.
"""
