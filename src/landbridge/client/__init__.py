"""A client of the HTTP API: accounts, requests, names of resources, waiting, and what a terminal or a pipe gets.

Belongs here: what every command of the API needs. Must never enter: the model or the rules of the service, which the API applies, and slow
imports that a command does not need.
"""
