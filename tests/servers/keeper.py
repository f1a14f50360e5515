"""Run a command and, when this process's standard input ends, end all that came of it.

A program of its own, for daemons that start processes and leave them: those become this process's
children when their parents are gone (Linux: PR_SET_CHILD_SUBREAPER), so none of them outlives it,
not even as a zombie. Whoever holds the other end of its standard input need only die.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import sys
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36  # from linux/prctl.h
ENDED_WITHIN = 5.0  # seconds that the command has to end itself, before it is killed


def main(command: list[str]) -> int:
    """Run the command to its end, or until nobody wants it any more; its exit status, or 0."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    ended, some_child_ended = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(some_child_ended, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    # Daemons that inetd could start complain to their client, on standard input: let it be heard.
    output_as_input = [(os.POSIX_SPAWN_DUP2, sys.stdout.fileno(), sys.stdin.fileno())]
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=output_as_input)
    status, unwanted, patience = None, False, None
    poll = select.poll()
    poll.register(ended, select.POLLIN)
    poll.register(sys.stdin, select.POLLIN)
    while status is None:
        ready = dict(poll.poll(None if patience is None else patience * 1000))
        if sys.stdin.fileno() in ready:
            unwanted, patience = True, ENDED_WITHIN
            poll.unregister(sys.stdin)
            os.kill(pid, signal.SIGTERM)
        elif unwanted and not ready:
            break
        with contextlib.suppress(BlockingIOError):
            os.read(ended, 4096)
        status = reap_ended(pid)
    end_children()
    return 0 if unwanted or status is None else status


def reap_ended(pid: int) -> int | None:
    """Reap the children that have ended; the exit status of ``pid`` if it was among them."""
    status = None
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == pid:
                status = os.waitstatus_to_exitcode(ended[1])
    return status


def end_children() -> None:
    """Kill and reap every child; the children of each come to this process then."""
    own = Path(f"/proc/self/task/{os.getpid()}/children")
    while children := own.read_text().split():
        for child in children:
            os.kill(int(child), signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            for child in children:
                os.waitpid(int(child), 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
