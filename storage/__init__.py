"""The floor under all: journal, embedded Redis-protocol server, its client, keys and functions, settings file.

Nothing here knows what a fix or a task is.
"""
