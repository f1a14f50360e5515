"""The command ``pulp-download``: the only room that prints.

Commands are parse, build, run, report; the exit status is a value of :class:`~.status.Status`.
"""
