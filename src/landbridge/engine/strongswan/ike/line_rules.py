"""The texts of charon's log lines, each with the function that makes a fact of the line. Pure.

Only this module knows the texts. They are those of strongSwan 5.9.8 as initiator and as responder. Where 6.0 has another text, the rule
matches both (source: the DBG1 calls of libcharon at 5.9.8 and at 6.0.6). The lines without a fact are in `other_lines`.
"""

import re

from landbridge.engine.strongswan.ike import line_facts
from landbridge.model import negotiation

#: A line of charon's sender without an SA. It is about the SA that sent the last packet.
NOT_SENT = "error writing to socket: "
#: strongSwan 6.0 logs both ids with their types.
_OF_TYPES = (
    r"constraint check failed: identity '(?P<wanted>.*)' \((?P<wanted_type>\w+)\) required"
    r"(?:, not matched by '(?P<got>.*)' \((?P<got_type>\w+)\))?$"
)
_GROUP_METHOD = "(?:DH group|key exchange method)"
_CHILD_UP = (
    r"(?:inbound )?CHILD_SA (?P<name>\S+)\{\d+\} established with SPIs (?P<in>\w+)_i (?P<out>\w+)_o"
    r" and TS (?P<local>.*) === (?P<remote>.*)"
)
_TABLE: tuple[tuple[str, str, line_facts.Make], ...] = (
    # the first word of the line (empty when the line begins with a value), the pattern, the function that makes the fact
    (
        "initiating",
        r"initiating (?:Main Mode |Aggressive Mode )?IKE_SA \S+\[\d+\] to (?P<peer>\S+)",
        line_facts.we_begin,
    ),
    ("", r"(?P<peer>[\d.]+|[\da-f:]+) is initiating (?:an? .*)?IKE_SA", line_facts.device_begins),
    *(
        (
            verb,
            r"(?P<verb>\S+) (?P<exchange>\S+) (?P<kind>request|response) (?P<id>\d+) \[ (?P<payloads>.*)\]$",
            line_facts.message,
        )
        for verb in ("generating", "parsed")
    ),
    *(
        (
            verb,
            (
                r"(?P<verb>\S+) packet: from (?P<from>\S+)\[(?P<from_port>\d+)\] to (?P<to>\S+)\[(?P<to_port>\d+)\]"
                r"(?: \((?P<size>\d+) bytes\))?"
            ),
            line_facts.packet,
        )
        for verb in ("sending", "received")
    ),
    ("retransmit", r"retransmit (?P<count>\d+) of request with message ID (?P<message>\d+)", line_facts.our_retransmit),
    (
        "sending",
        r"sending retransmit (?P<count>\d+) of \S+ message ID \d+, seq (?P<message>\d+)",
        line_facts.our_retransmit,
    ),
    ("giving", r"giving up after (?P<count>\d+) retransmits", line_facts.gave_up),
    ("DPD", r"DPD check timed out", line_facts.gave_up),
    ("deleting", r"deleting half open IKE_SA .*after timeout", line_facts.gave_up),
    ("received", r"received retransmit of (?:request|response) with ID (?P<message>\d+)", line_facts.their_retransmit),
    ("received", r"received proposals: (?P<proposals>.*)", line_facts.offered),
    ("configured", r"configured proposals: (?P<proposals>.*)", line_facts.configured),
    ("selected", r"selected proposal: (?P<proposals>.*)", line_facts.chosen),
    ("received", r"received (?P<notify>\S+) notify, no CHILD_SA built", line_facts.device_refused_the_child),
    ("received", r"received (?P<notify>\S+) notify, will retry later", line_facts.device_refused_the_child),
    ("received", r"received (?P<notify>TEMPORARY_FAILURE) notify$", line_facts.device_refused_the_child),  # 6.0
    ("received", r"received (?P<notify>\S+) (?:notify error|error notify)", line_facts.device_refused),
    ("ignoring", r"ignoring unprotected INFORMATIONAL from ", line_facts.unprotected),
    ("queueing", r"queueing INFORMATIONAL_V1 request as tasks still active", line_facts.unread),
    ("peer", rf"peer didn't accept {_GROUP_METHOD} \S+, it requested (?P<group>\S+)", line_facts.device_wants_a_group),
    (
        "requested",
        rf"requested {_GROUP_METHOD} (?P<group>\S+) not (?:contained|supported)",
        line_facts.device_wants_a_group,
    ),
    ("DH", r"DH group \S+ unacceptable, requesting (?P<group>\S+)", line_facts.we_want_a_group),
    ("key", r"key exchange method \S+ unacceptable, requesting (?P<group>\S+)", line_facts.we_want_a_group),
    ("no", r"no IKE config found for ", line_facts.plain(negotiation.NoConnection, reason="address")),
    (
        "looking",
        r"looking for peer configs matching [^\s[]+\[(?P<local>.*)\]\.\.\.[^\s[]+\[(?P<peer>.*)\]$",
        line_facts.looking,
    ),
    ("looking", r"looking for .* peer configs matching [^\s[]+\[(?P<peer>.*)\]$", line_facts.looking),
    ("no", r"no (?:matching )?peer config found", line_facts.no_ids),
    (
        "selected",
        r"selected peer config .* unacceptable: insufficient authentication rounds",
        line_facts.plain(negotiation.MethodMismatch, method="other"),
    ),
    ("selected", r"selected peer config .* unacceptable", lambda *_: None),
    ("selected", r"selected peer config ", line_facts.selected),
    (
        "found",
        r"found \d+ matching configs?, but none allows (?P<method>.*) authentication using",
        line_facts.none_allows,
    ),
    ("authentication", r"authentication of '(?P<id>.*)' with .* successful$", line_facts.proved),
    ("constraint", r"constraint check failed: identity '(?P<wanted>.*)' required", line_facts.other_identity),
    ("constraint", _OF_TYPES, line_facts.other_identity),
    ("", r"ID\S+ '(?P<got>.*)' does not match to '(?P<wanted>.*)'", line_facts.other_identity),
    ("received", r"received IDr (?P<got>.*), but require (?P<wanted>.*)", line_facts.other_identity),
    ("tried", r"tried \d+ shared keys? for ", line_facts.plain(negotiation.KeyMismatch, problem="differs")),
    ("calculated", r"calculated HASH does not match", line_facts.plain(negotiation.KeyMismatch, problem="differs")),
    ("no", r"no shared key found for", line_facts.plain(negotiation.KeyMismatch, problem="absent")),
    ("could", r"could not decrypt payloads", line_facts.plain(negotiation.KeyMismatch, problem="undecryptable")),
    ("peer", r"peer requested EAP", line_facts.plain(negotiation.MethodMismatch, method="eap")),
    ("server", r"server requested .*EAP", line_facts.plain(negotiation.MethodMismatch, method="eap")),
    ("no", r"no XAuth ", line_facts.plain(negotiation.MethodMismatch, method="xauth")),
    (
        "configuration",
        r"configuration payload missing in XAuth",
        line_facts.plain(negotiation.MethodMismatch, method="xauth"),
    ),
    ("no", r"no trusted .* public key found for", line_facts.plain(negotiation.MethodMismatch, method="certificate")),
    ("constraint", r"constraint requires .*, but (?P<method>.*) was used", line_facts.other_method),
    ("received", r"received (?P<method>.*) authentication, but configured", line_facts.other_method),
    ("IKE_SA", r"IKE_SA \S+\[\d+\] established between", line_facts.ike_up),
    ("IKE_SA", r"IKE_SA \S+\[(?P<number>\d+)\] rekeyed between", line_facts.ike_rekeyed),
    *(
        (
            first,
            _CHILD_UP,
            line_facts.child_up,
        )
        for first in ("CHILD_SA", "inbound")
    ),
    ("received", r"received DELETE for IKE_SA", line_facts.deleted(1, "device")),
    ("sending", r"sending DELETE for IKE_SA", line_facts.deleted(1, "us")),
    ("received", r"received DELETE for \S+ CHILD_SA with SPI (?P<spi>\w+)", line_facts.deleted(2, "device")),
    ("sending", r"sending DELETE for \S+ CHILD_SA with SPI (?P<spi>\w+)", line_facts.deleted(2, "us")),
    ("detected", r"detected reauth of existing IKE_SA", line_facts.reauthenticated),
    ("schedule", r"schedule delete of duplicate IKE_SA", line_facts.replaced),
    ("deleting", r"deleting duplicate IKE_SA", line_facts.replaced),
    ("destroying", r"destroying duplicate IKE_SA", line_facts.replaced),
    ("destroying", r"destroying IKE_SA in state", line_facts.over),
    ("", r"(?P<what>IKE|CHILD)_SA rekeying failed", line_facts.rekey_failed),
    ("rekeying", r"rekeying (?P<what>IKE)_SA failed", line_facts.rekey_failed),
    ("reauthenticating", r"reauthenticating (?P<what>IKE)_SA failed", line_facts.rekey_failed),
    ("peer", r"peer seems to not support (?P<what>IKE|CHILD).*rekeying", line_facts.rekey_failed),
    (
        "traffic",
        r"traffic selectors (?P<first>.*) === (?P<second>.*) unacceptable",
        line_facts.selectors("first", "second"),
    ),
    (
        "no",
        r"no matching CHILD_SA config found for (?P<first>.*) === (?P<second>.*)",
        line_facts.selectors("second", "first"),
    ),
    ("no", r"no acceptable traffic selectors found", line_facts.plain(negotiation.SelectorsRefused, asked=())),
    ("peer", r"peer selected invalid traffic selectors", line_facts.plain(negotiation.SelectorsRefused, asked=())),
    ("unable", r"unable to (?:install|add|allocate|update) ", line_facts.plain(negotiation.DataPlaneFailure)),
    ("error", r"error installing ", line_facts.plain(negotiation.DataPlaneFailure)),
    ("installing", r"installing route failed", line_facts.plain(negotiation.DataPlaneFailure)),
    ("allocating", r"allocating SPI .*failed", line_facts.plain(negotiation.DataPlaneFailure)),
    ("algorithm", r"algorithm .* not supported by kernel", line_facts.plain(negotiation.DataPlaneFailure)),
    ("error", NOT_SENT, line_facts.plain(negotiation.NotSent)),
    ("remote", r"remote host is behind NAT", line_facts.plain(negotiation.Nat, side="device")),
    ("local", r"local host is behind NAT", line_facts.plain(negotiation.Nat, side="us")),
)
#: First word of a line -> its patterns with their functions; "": the patterns of lines that begin with a value.
RULES: dict[str, list[tuple[re.Pattern[str], line_facts.Make]]] = {"": []}
for _first, _pattern, _fact in _TABLE:
    RULES.setdefault(_first, []).append((re.compile(_pattern), _fact))
