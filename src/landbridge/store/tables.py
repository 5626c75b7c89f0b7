"""The schema. Columns hold what is queried or unique; the rest of a resource is its model as JSON in `spec`.

Types are plain on purpose (integers, text, bytes), so that statements can run on the driver's own cursor: a time is an
integer of milliseconds since 1970 (UTC), a boolean is 0 or 1. `seq` is the order of creation and the key of pages; tables that every
create, page or report touches refer to a row by its `seq`.
"""

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from landbridge.store import expressions

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

setting = Table(
    "setting",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
    comment="what a backup alone says of itself",
)

sealed_key = Table(
    "sealed_key",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False, comment="encrypted"),
)

project = Table(
    "project",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("created_at", Integer, nullable=False),
)

access_key = Table(
    "access_key",
    metadata,
    Column("access_key", Text, primary_key=True),
    Column("secret", LargeBinary, nullable=False),
    Column("token_hash", Text, nullable=False, unique=True),
    Column("project_id", Text, ForeignKey("project.id")),
    Column("role", Text, nullable=False),
    Column("created_at", Integer, nullable=False),
    Column("revoked_at", Integer),
)

console_session = Table(
    "console_session",
    metadata,
    Column("secret_hash", Text, primary_key=True),
    Column("access_key", Text, ForeignKey("access_key.access_key"), nullable=False),
    Column("began_at", Integer, nullable=False),
    Column("used_at", Integer, nullable=False),
)

sign_in_link = Table(
    "sign_in_link",
    metadata,
    Column("secret_hash", Text, primary_key=True),
    Column("access_key", Text, ForeignKey("access_key.access_key"), nullable=False),
    Column("made_at", Integer, nullable=False),
    comment="links that sign in to the console once",
)

vpn_gateway = Table(
    "vpn_gateway",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("project_id", Text, ForeignKey("project.id"), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("deleting", Integer, nullable=False),
    Column("spec_version", Integer, nullable=False),
    Column("spec", Text, nullable=False),
    Column("restarts", Integer, nullable=False, server_default=text("0")),
    Column("changed_at", Integer, comment="when it was asked for what is not applied yet"),
    Index(None, "project_id", "seq"),
    sqlite_autoincrement=True,
)

gateway_job = Table(
    "gateway_job",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("project_id", Text, ForeignKey("project.id"), nullable=False),
    Column("gateway_id", Text, ForeignKey("vpn_gateway.id"), nullable=False, index=True),
    Column("created_at", Integer, nullable=False),
    Column("spec", Text, nullable=False),
    Index(None, "project_id", "seq"),
    sqlite_autoincrement=True,
)

gateway_certificate = Table(
    "gateway_certificate",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("project_id", Text, ForeignKey("project.id"), nullable=False),
    Column("gateway_id", Text, ForeignKey("vpn_gateway.id"), nullable=False, unique=True),
    Column("created_at", Integer, nullable=False),
    Column("private_keys", LargeBinary, nullable=False, comment="encrypted"),
    Column("spec", Text, nullable=False),
    Index(None, "project_id", "seq"),
    sqlite_autoincrement=True,
)

gateway_count = Table(
    "gateway_count",
    metadata,
    Column("gateway_seq", Integer, ForeignKey("vpn_gateway.seq"), primary_key=True, autoincrement=False),
    Column("connections", Integer, nullable=False),
    Column("next_if_id", Integer, nullable=False),
    comment="what every create changes of its gateway, apart from the gateway's long row",
)

pause = Table(
    "pause",
    metadata,
    Column("gateway_seq", Integer, ForeignKey("vpn_gateway.seq"), unique=True, comment="null: the whole service"),
    Column("since", Integer, nullable=False),
)

endpoint_use = Table(
    "endpoint_use",
    metadata,
    Column("endpoint", Text, primary_key=True, comment="EIP id, or address of a private endpoint"),
    Column("gateway_id", Text, ForeignKey("vpn_gateway.id"), nullable=False, index=True),
)

customer_gateway = Table(
    "customer_gateway",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("project_id", Text, ForeignKey("project.id"), nullable=False),
    Column("spec_version", Integer, nullable=False),
    Column("spec", Text, nullable=False),
    sqlite_autoincrement=True,
)

#: What pages with all customer gateways show of one: its name, and its address or identity.
CUSTOMER_GATEWAY_DESCRIPTION = expressions.JsonValues(customer_gateway.c.spec, "name", "id_value")
Index(
    "ix_customer_gateway_project_id_seq",
    customer_gateway.c.project_id,
    customer_gateway.c.seq,
    CUSTOMER_GATEWAY_DESCRIPTION,
)
_CERTIFICATE_ID = expressions.JsonValue(customer_gateway.c.spec, "ca_certificate", "id")
Index(
    "ix_customer_gateway_certificate",
    customer_gateway.c.project_id,
    _CERTIFICATE_ID,
    sqlite_where=_CERTIFICATE_ID.isnot(None),
)

connection = Table(
    "connection",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("project_id", Text, ForeignKey("project.id"), nullable=False),
    Column("gateway_seq", Integer, ForeignKey("vpn_gateway.seq"), nullable=False),
    Column("customer_gateway_seq", Integer, ForeignKey("customer_gateway.seq"), nullable=False),
    Column("endpoint", Integer, nullable=False),
    Column("identity", Text, nullable=False, comment="peer address and both ids: what tells it apart on the wire"),
    Column("tunnel_block", Integer, comment="number of its /30; null without a tunnel interface"),
    Column("if_id", Integer, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("deleting", Integer, nullable=False),
    Column("simulate", Text, comment="what the simulated engine is asked to show"),
    Column("psk", LargeBinary, comment="encrypted"),
    Column("spec_version", Integer, nullable=False),
    Column("spec", Text, nullable=False),
    Column("resets", Integer, nullable=False, server_default=text("0")),
    Column("changed_at", Integer, comment="when it was asked for what is not applied yet"),
    Index(None, "gateway_seq", "seq"),
    UniqueConstraint("gateway_seq", "tunnel_block"),
    UniqueConstraint("gateway_seq", "identity", "endpoint"),
    UniqueConstraint("customer_gateway_seq", "gateway_seq", "endpoint"),
    sqlite_autoincrement=True,
)

#: What pages with all connections show of one, apart from its columns.
CONNECTION_DESCRIPTION = expressions.JsonValues(connection.c.spec, "name", "style", "peer_subnets", "policy_rules")
#: The index has all that these pages read, so that they read no row and parse no JSON (docs/decisions/0063).
Index(
    "ix_connection_project_id_seq",
    *(connection.c[name] for name in ("project_id", "seq", "id", "gateway_seq", "customer_gateway_seq", "endpoint")),
    *(connection.c[name] for name in ("generation", "deleting", "changed_at")),
    CONNECTION_DESCRIPTION,
)

connection_monitor = Table(
    "connection_monitor",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("project_id", Text, ForeignKey("project.id"), nullable=False),
    Column("connection_id", Text, ForeignKey("connection.id"), nullable=False, unique=True),
    Index(None, "project_id", "seq"),
    sqlite_autoincrement=True,
)

tag = Table(
    "tag",
    metadata,
    Column("resource_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    Column("resource_type", Text, nullable=False),
    Column("project_id", Text, ForeignKey("project.id"), nullable=False),
    Index(None, "project_id", "resource_type", "key", "value"),
)

counter = Table(
    "counter",
    metadata,
    Column("project_id", Text, ForeignKey("project.id"), primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("value", Integer, nullable=False),
)

token = Table(
    "token",
    metadata,
    Column("project_id", Text, ForeignKey("project.id"), primary_key=True),
    Column("token", Text, primary_key=True),
    Column("operation", Text, nullable=False),
    Column("body_hash", Text, nullable=False),
    Column("spec", Text, nullable=False),
    Column("created_at", Integer, nullable=False, index=True),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("at", Integer, nullable=False),
    Column("project_id", Text),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("resource_id", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Index(None, "project_id", "at"),
    Index(None, "resource_id", "at"),
    sqlite_autoincrement=True,
)

gateway_observation = Table(
    "gateway_observation",
    metadata,
    Column("gateway_seq", Integer, ForeignKey("vpn_gateway.seq"), primary_key=True, autoincrement=False),
    Column("applied_generation", Integer, comment="the newest generation ever reported as wholly applied"),
    Column("failure", Text),
    Column("report", Text, comment="GatewayReport"),
    Column("seen_at", Integer, nullable=False, comment="of its connections too"),
    Column("state", Text, comment="what was seen, in a word"),
    Column("since", Integer, comment="when that state was seen first, with what is applied now"),
)

connection_attempt = Table(
    "connection_attempt",
    metadata,
    Column("connection_seq", Integer, ForeignKey("connection.seq"), primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False, comment="grows with time"),
    Column("report", Text, nullable=False, comment="Attempt"),
)

stranger_attempt = Table(
    "stranger_attempt",
    metadata,
    Column("gateway_seq", Integer, ForeignKey("vpn_gateway.seq"), primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False, comment="grows with time"),
    Column("report", Text, nullable=False, comment="Attempt"),
    comment="attempts from addresses that no connection has",
)

connection_state = Table(
    "connection_state",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("connection_seq", Integer, ForeignKey("connection.seq"), nullable=False),
    Column("at", Integer, nullable=False),
    Column("status", Text, nullable=False, comment="the API's word"),
    Column("cause", Text, comment="a cause's code, where one was known"),
    Index(None, "connection_seq", "seq"),
    comment="when a connection got another status",
)
bgp_change = Table(
    "bgp_change",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("connection_seq", Integer, ForeignKey("connection.seq"), nullable=False),
    Column("at", Integer, nullable=False),
    Column("state", Text, nullable=False, comment="of the session, as RFC 4271 names it"),
    Column("cause", Text, comment="a cause's code, where something is wrong"),
    Column("reason", Text, comment="the cause in words"),
    Column("received", Integer, nullable=False, comment="routes"),
    Index(None, "connection_seq", "seq"),
    comment="when the BGP session of a connection changed",
)

connection_observation = Table(
    "connection_observation",
    metadata,
    Column("connection_seq", Integer, ForeignKey("connection.seq"), primary_key=True, autoincrement=False),
    Column("applied_generation", Integer, comment="the newest generation ever reported as wholly applied"),
    Column("report", Text, comment="ConnectionObservation"),
    Column("state", Text, comment="what was seen, in a word"),
    Column("since", Integer, comment="when that state was seen first, with what is applied now"),
)

connection_probe = Table(
    "connection_probe",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("connection_seq", Integer, ForeignKey("connection.seq"), nullable=False),
    Column("asked_at", Integer, nullable=False),
    Column("actor", Text, nullable=False, comment="an access key, or landbridge"),
    Column("wanted", Text, comment="ProbeOrder; null where nobody ordered it"),
    Column("probed_at", Integer, comment="null while it waits"),
    Column("configuration", Text, comment="of the connection, when its device was asked"),
    Column("report", Text, comment="ProbeResult"),
    Column("finding", Text, comment="of a check of the path through the tunnel; null for other probes"),
    Index(None, "connection_seq", "seq"),
    sqlite_autoincrement=True,
)

connection_sample = Table(
    "connection_sample",
    metadata,
    Column("step", Integer, primary_key=True, autoincrement=False, comment="seconds of a slot: tells the ring"),
    Column(
        "position", Integer, primary_key=True, autoincrement=False, comment="in the ring: the slot modulo its length"
    ),
    Column(
        "connection_seq",
        Integer,
        primary_key=True,
        autoincrement=False,
        comment="no foreign key, which would need an index",
    ),
    Column("slot", Integer, nullable=False, comment="time divided by step"),
    Column("observed", Integer, nullable=False, comment="milliseconds between looks"),
    Column("up", Integer, nullable=False, comment="milliseconds"),
    Column("bytes_in", Integer, nullable=False),
    Column("bytes_out", Integer, nullable=False),
    *(
        Column(f"{kind}_{name}", Integer)
        for kind in ("nqa", "monitor")
        for name in ("sent", "lost", "rtt_total", "rtt_min", "rtt_max")
    ),
    comment="what connections carried and what echoes said, in slots of time; round-trip times in microseconds",
    sqlite_with_rowid=False,
)
