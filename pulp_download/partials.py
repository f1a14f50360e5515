"""What a run that broke off leaves beside its target, for the next one: bytes, and facts on them.

Two files with names made of a hash of the target's name, so that they are short, hidden and found
again: ``.<hash>.part`` has the bytes, ``.<hash>.facts.part`` says what they are. Whoever works on
the first holds a lock on the second; it ends with its process, however that ends.

The order of every change is such that facts never stand beside bytes that they do not describe:
bytes go before their facts, and come after them.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import random
import stat
import time
from contextlib import suppress

# Seconds after which what was left is not gone on with: an upstream that publishes weekly has
# something else by then.
LIFETIME = 7 * 86_400.0

# Bytes of facts that are read; a validator is at most a line of a head.
_MOST_FACTS = 1 << 18

# Seeded anew in a forked child, which would else go through the same names as its parent.
_chance = random.Random()
os.register_at_fork(after_in_child=_chance.seed)

_OPEN = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def stem_of(name: str) -> str:
    """Return what the names of a target's partial have in common."""
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:24]


def nobodys_stem() -> str:
    """Return a stem for bytes that no later run will look for, only whoever cleans up."""
    return f"{_chance.getrandbits(96):024x}"


def temporary_name(*, held: bool) -> str:
    """Return a name for a file that is renamed at once, and that is ``held`` (:func:`hold`) or not.

    Holding costs four system calls, which small files feel.
    """
    # Not a secret: O_EXCL decides, and one that is taken is as likely as UUIDs that collide.
    return f".{_chance.getrandbits(64):016x}{'' if held else '.free'}.part"


def claim(prefix: str, stem: str, directory: int | None, *, make: bool) -> Partial | None:
    """Return a partial that is this caller's alone, or None.

    None where there is none (unless ``make``), where somebody else has it, where the file system
    knows no locks, and where something stands there that is not ours. Names are ``prefix`` and what
    is made of the stem, below ``directory`` if there is one.
    """
    path = _facts_path(prefix, stem)
    try:
        lock = os.open(path, _OPEN | (os.O_CREAT if make else 0), 0o600, dir_fd=directory)
    except OSError:
        return None
    try:
        _lock(lock, path, directory)
        # Whoever had it may have removed the name between our opening and our locking.
        if _is_ours(lock):
            return Partial(lock, prefix, stem, directory)
    except OSError:
        pass
    except BaseException:
        os.close(lock)
        raise
    os.close(lock)
    return None


def hold(file: int) -> bool:
    """Lock a temporary file that was just made, until all its descriptors are closed.

    False where somebody took it for nobody's before: it has lost its name, or is about to.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # no locks here: it is taken for nobody's when it is old
        return True
    return os.fstat(file).st_nlink > 0


def remove_nobodys(name: str, directory: int, *, held: bool, before: float) -> bool:
    """Remove a temporary file that no living process holds, and tell whether it was one.

    One that is not ``held`` while it is written, or that is on a file system without locks, is
    nobody's if it was written ``before``. Raises OSErrors.
    """
    file = os.open(name, _OPEN, dir_fd=directory)
    try:
        facts = os.fstat(file)
        if not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.geteuid():
            return False
        if not held and facts.st_mtime >= before:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            if facts.st_mtime >= before:
                return False
        os.unlink(name, dir_fd=directory)
    finally:
        os.close(file)
    return True


def _lock(lock: int, path: str, directory: int | None) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:  # no locks here, for nobody: do not leave a file each time
        os.unlink(path, dir_fd=directory)
        raise


class Partial:
    """A claimed partial: one of ``keep``, ``settle`` and ``drop`` ends it. Raises OSErrors."""

    __slots__ = ("_directory", "_facts_path", "_lock", "is_described", "path", "stem")

    def __init__(self, lock: int, prefix: str, stem: str, directory: int | None):
        self._lock = lock
        self._directory = directory
        self._facts_path = _facts_path(prefix, stem)
        self.stem = stem
        self.path = f"{prefix}.{stem}.part"  # of the bytes
        self.is_described = False

    def facts(self) -> str:
        """Return what is known of the bytes; empty where that is nothing, or not whole."""
        found = os.pread(self._lock, _MOST_FACTS, 0)
        digest, _, facts = found.partition(b" ")
        self.is_described = bool(facts) and digest == _digest(facts)
        return facts.decode() if self.is_described else ""

    def describe(self, facts: str) -> None:
        """Say what the bytes that come next will be; empty: nothing is known of them."""
        os.ftruncate(self._lock, 0)
        self.is_described = bool(facts)
        if facts:
            data = facts.encode()
            data = _digest(data) + b" " + data
            if os.pwrite(self._lock, data, 0) < len(data):
                self.describe("")  # a disk that is just full

    def open(self) -> int | None:
        """Return a descriptor of the bytes, or None where there are none that are ours and new."""
        try:
            file = os.open(self.path, _OPEN, dir_fd=self._directory)
        except OSError:
            return None
        if _is_ours(file) and os.fstat(file).st_mtime > time.time() - LIFETIME:
            with suppress(OSError):
                os.utime(self._lock)  # it is used
            return file
        os.close(file)
        return None

    def create(self) -> int:
        """Return a descriptor of a new file for bytes; the kernel applies the umask."""
        with suppress(FileNotFoundError):
            os.unlink(self.path, dir_fd=self._directory)
        return os.open(self.path, _NEW, 0o666, dir_fd=self._directory)

    def used_at(self) -> float | None:
        """Return when somebody last worked on the bytes (epoch seconds); None without any."""
        try:
            data = os.stat(self.path, dir_fd=self._directory, follow_symlinks=False)
        except OSError:
            return None
        return max(os.fstat(self._lock).st_mtime, data.st_mtime)

    def keep(self) -> None:
        """Leave it for another run."""
        os.close(self._lock)

    def settle(self) -> None:
        """Forget the facts: the bytes have got another name."""
        with suppress(OSError):  # whoever cleans up finds facts without bytes
            os.unlink(self._facts_path, dir_fd=self._directory)
        os.close(self._lock)

    def drop(self) -> None:
        """Remove it."""
        with suppress(OSError):  # gone already, or a disk that fails
            os.unlink(self.path, dir_fd=self._directory)
        self.settle()


def _facts_path(prefix: str, stem: str) -> str:
    return f"{prefix}.{stem}.facts.part"


def _digest(facts: bytes) -> bytes:
    return hashlib.sha256(facts).hexdigest()[:16].encode()


def _is_ours(descriptor: int) -> bool:
    """Tell that it is a file of ours with one name, so that nothing else is written to."""
    facts = os.fstat(descriptor)
    return stat.S_ISREG(facts.st_mode) and facts.st_nlink == 1 and facts.st_uid == os.geteuid()
