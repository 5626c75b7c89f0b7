"""The command line: commands that start the service, or work on this machine's data folder or engine, and commands of the API.

Belongs here: parsing arguments, printing results. Must never enter: logic; each command calls one function.
"""
