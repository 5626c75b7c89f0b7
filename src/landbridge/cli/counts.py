"""Numbers of things in what commands print."""


def count(number: int, one: str) -> str:
    """`1 gateway`, `2 gateways`."""
    return f"{number} {one}" if number == 1 else f"{number} {one}s"
