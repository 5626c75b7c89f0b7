"""The engine that makes real tunnels: one strongSwan daemon per gateway, in a network namespace of its own.

Belongs here: everything that speaks VICI or netlink, and the pure mapping and planning that decide what is spoken. Must
never enter: statuses, diagnosis, the rules of the API. Invariant: what is loaded says by its names from which
configuration it was made, so that nothing has to be remembered.
"""
