"""An engine without root and network, for people who test their clients.

Belongs here: a small world in memory that moves as a real one does, and failures on demand. Must never enter: any claim
that a tunnel carries traffic. It keeps the contract of `engine/base`, except that a restart forgets its world, as a
reboot would.
"""

from landbridge.engine.simulated.engine import Simulated, World

__all__ = ["Simulated", "World"]
