"""A client of the HTTP API: accounts, requests, names of resources, waiting, and what a terminal or a pipe gets.

Belongs here: what every command needs that asks the API. Must never enter: the model or the rules of the service, which the API applies, and
a library that takes long to import while a command does not need it.
"""
