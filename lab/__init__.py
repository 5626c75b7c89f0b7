"""Worlds of network namespaces to try tunnels in: for the demonstration and for the tests, never for the service."""
