"""Log lines of charon that become no fact: ignored lines, and the words of a failure in an unknown line. Pure."""

import re

#: Beginnings of lines without information about a negotiation, and of lines that repeat another line.
IGNORED = (
    "vici initiate",
    "vici terminate",
    "vici rekey",
    "initiating ",
    "establishing ",
    "scheduling ",
    "maximum ",
    "sending keep alive",
    "sending DPD request",
    "sending cert request",
    "sending end entity cert",
    "received cert request",
    "received end entity cert",
    "received issuer cert",
    "received unknown vendor ID",
    "faking NAT situation",
    "deleting IKE_SA ",
    "IKE_SA deleted",
    "closing CHILD_SA ",
    "closing expired CHILD_SA ",
    "CHILD_SA closed",
    "failed to establish CHILD_SA, keeping IKE_SA",
    "received proposals unacceptable",
    "no proposal found",
    "no acceptable proposal found",
    "no matching proposal found",
    "no alternative config found",
    "switching to peer config",
    "message parsing failed",
    "message verification failed",
    "integrity check failed",
    "establishing IKE_SA failed, peer not responding",
    "peer not responding, trying again",
    "proper IKE_SA delete failed, peer not responding",
    "queueing ",
    "ignore malformed INFORMATIONAL request",
    "detected rekeying of CHILD_SA",
    "outbound CHILD_SA ",
    "rekeyed CHILD_SA ",
    "splitting IKE message",
    "received fragment ",
    "received duplicate fragment ",
    "remote endpoint changed ",
    "local endpoint changed ",
    "flags changed for ",
    "reauthentication already scheduled",
    "authentication of '",  # ours; the peer's has a rule
    "peer certificate successfully verified",  # charon says so of a PSK, too, in make before break
    "using ",
    "peer supports ",
    "unable to resolve %any, initiate aborted",
    "deleting unestablished IKE_SA",
    "ignoring ",
    "restarting CHILD_SA ",
    "reinitiating IKE_SA ",
    "reauthenticating IKE_SA ",
    "unable to reauthenticate in ",
    "unable to rekey",
    "creating CHILD_SA failed, trying again",
    "closing IKE_SA due CHILD_SA setup failure",
    "CHILD_SA not found",
    "CHILD_SA rekey",
    "IKE_SA rekey collision",
    "detected rekey collision",
    "peer initiated rekeying, but",
    "abort active rekeying",
    "delay closing of inbound CHILD_SA",
    "let rekeyed inbound CHILD_SA",
    "keeping ",
    "queue CHILD_SA recreate",
    "DPD not supported by peer",
    "looking for a route",
    "received DELETE for different IKE_SA",
    "received DELETE for unknown",
    "received message ID ",
    "received unencrypted informational",
)
_IGNORED = re.compile(
    r"CHILD_SA \S+ closed$|received .* vendor ID$|received \d+s lifetime, configured|received lifetime \d+s|IKE_SA \S+ state change|"
    r"(?:\S+ )?\S+ (?:request|response) with message ID \d+ processing failed$|\S+ is initiating an? |"
    r"\S+ is initiating IKE_SA |invalid \S+ payload length, decryption failed\?$|received \S+ notify$"
)
_REFUSING = re.compile(
    r"fail|refus|reject|unacceptable|not (?:supported|acceptable|found|allowed|match)|invalid|unable|mismatch|denied|forbid|"
    r"giving up|error|missing|unexpected|no \S+ found|cancel"
)


def is_ignored(line: str) -> bool:
    """Whether the line has no information about a negotiation, or repeats another line."""
    return line.startswith(IGNORED) or _IGNORED.match(line) is not None


def is_failure(line: str) -> bool:
    """Whether the line has a word of a refusal or a failure."""
    return _REFUSING.search(line) is not None
