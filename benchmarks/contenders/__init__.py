"""The contenders, one file each: ``run(job)`` fetches, verifies SHA-256 and leaves the files.

Each is written as its own documentation would have it, with the number of connections of the job,
every digest checked, and a file under its final name only when it is whole where the tool can do
that. ``python -m benchmarks.contenders NAME JOB`` runs one and prints its seconds.
"""
