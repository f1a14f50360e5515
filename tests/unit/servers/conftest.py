"""Every test here must give back what it took."""

from collections.abc import Iterator

import pytest

from tests.servers import nothing_left


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    with nothing_left():
        yield
