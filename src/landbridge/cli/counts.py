"""Formats numbers of things for the output of commands."""


def count(number: int, singular: str) -> str:
    """`1 gateway`, `2 gateways`."""
    return f"{number} {singular}" if number == 1 else f"{number} {singular}s"
