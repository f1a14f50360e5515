"""An adapter that is made when it is first wanted, for one that is slow to import."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter


class Deferred(BaseAdapter):
    """Stands where another adapter is mounted until that is wanted. Thread-safe.

    Mounting it then would disturb other threads that look for theirs.
    """

    def __init__(self, make: Callable[[], BaseAdapter]):
        super().__init__()
        self._make = make
        self._lock = threading.Lock()
        self._adapter: BaseAdapter | None = None

    @property
    def adapter(self) -> BaseAdapter:
        """The adapter itself."""
        with self._lock:
            if self._adapter is None:
                self._adapter = self._make()
            return self._adapter

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        """Have the adapter itself send the request."""
        return self.adapter.send(request, *args, **kwargs)

    def renew(self) -> None:
        """Have what the adapter holds left to the parent, in a forked child."""
        self._lock = threading.Lock()
        renew = getattr(self._adapter, "renew", None)
        if renew is not None:
            renew()

    def close(self) -> None:
        """Close the adapter, if there is one."""
        if self._adapter is not None:
            self._adapter.close()
