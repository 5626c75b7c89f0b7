"""Numbers of things in what commands print."""


def count(number: int, singular: str) -> str:
    """`1 gateway`, `2 gateways`."""
    return f"{number} {singular}" if number == 1 else f"{number} {singular}s"
