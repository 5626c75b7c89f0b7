"""Landbridge: a self-hosted site-to-site VPN service that speaks the Huawei Cloud VPN v5 API."""

__version__ = "0.1.0"
