"""The command line: commands that start things or work on this machine's data folder or engine.

Belongs here: parsing arguments, printing results. Must never enter: logic; each command calls one function.
"""
