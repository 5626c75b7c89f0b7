"""The failures of a command: each has a line for people, and an exit status for scripts (docs/reference/command-line.md).

Failure        1  the service or this machine failed
├── Usage      2  the command was typed wrongly, or a name is ambiguous
├── NotFound   3  there is no such resource
├── SignIn     4  no credentials, wrong ones, or a key that may not do this
├── Refused    5  the service refused the request; it changed nothing
└── TimedOut   6  what --wait waits for did not happen in time
"""


class Failure(Exception):
    """The message is one line. It has no secret."""

    status = 1


class Unreachable(Failure):
    """No answer, or an answer that asks to try later. `may_pass`: an immediate retry may succeed."""

    def __init__(self, message: str, *, may_pass: bool) -> None:
        super().__init__(message)
        self.may_pass = may_pass


class Usage(Failure):
    status = 2


class NotFound(Failure):
    status = 3


class SignIn(Failure):
    status = 4


class Refused(Failure):
    """`fields`: what the service says of each wrong field of the request, by the field's path."""

    status = 5

    def __init__(self, message: str, fields: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.fields = fields


class TimedOut(Failure):
    status = 6


#: Exit status -> meaning. The reference page has this table.
STATUSES = {
    0: "done",
    1: "the service or this machine failed, or the output was closed",
    2: "the command was typed wrongly, or a name is ambiguous",
    3: "there is no such resource",
    4: "no credentials, wrong credentials, or a key that may not do this",
    5: "the service refused the request and changed nothing, or a check found a violation",
    6: "`--wait` ended before what it waits for",
    130: "interrupted (Ctrl-C)",
}
