"""Run one streamer in this process."""

import importlib
import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor as the_reactor

from benchmarks.job import Job

reactor: Any = the_reactor
module, port, job = sys.argv[1], int(sys.argv[2]), Job.load(Path(sys.argv[3]))
reactor.listenTCP(port, importlib.import_module(module).site(job), interface="127.0.0.1")
reactor.run()
