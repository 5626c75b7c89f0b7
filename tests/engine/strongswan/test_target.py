"""What is prepared once a cycle, and read for each connection."""

from lab import specs
from landbridge.engine.strongswan import target


def test_the_supported_connections_are_collected_once_however_often_they_are_read():
    """Each connection asks for them: collecting them anew took a fifth of a look at a thousand tunnels."""
    spec = specs.connection()
    prepared = target.prepare(specs.desired(spec), "userland")
    assert prepared.supported == {spec.id}
    assert prepared.supported is prepared.supported
