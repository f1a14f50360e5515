"""nothing_left(): sees what a block leaves behind."""

import socket
import threading

import pytest

from tests.servers import nothing_left


def test_an_open_socket_is_seen() -> None:
    sock = None
    with pytest.raises(AssertionError, match=r"descriptors left.*socket"), nothing_left():
        sock = socket.socket()
    assert sock is not None
    sock.close()


def test_a_running_thread_is_seen() -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait, name="lingering")
    with pytest.raises(AssertionError, match="lingering"), nothing_left():
        thread.start()
    done.set()
    thread.join()
