"""A child that measures something of its own: memory, files, what is imported, seconds.

Coverage would be measured with it, for that too imports SQLite, writes files, and makes a million
lines several times slower.
"""

import sys

#: The interpreter for such a child, without what would make it measure coverage.
UNCOVERED = ("env", "-u", "COVERAGE_PROCESS_CONFIG", "-u", "COVERAGE_PROCESS_START", sys.executable)
