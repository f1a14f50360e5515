"""Servers that pass an upstream's files on, one file each, and the client that asks them.

``python -m benchmarks.streamers MODULE PORT JOB`` runs one that is written in Python: its
``resource(job)`` is what is served at the port until the process is told to end. ``job.items`` are
all that is listed; their digests are to be checked before a client may take a file for whole.
"""
