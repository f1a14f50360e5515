"""What is used of requests-ftp, which has no types of its own."""

import ftplib
from collections.abc import Callable

from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter

class FTPAdapter(BaseAdapter):
    func_table: dict[str, Callable[[str, PreparedRequest], Response]]
    @property
    def conn(self) -> ftplib.FTP: ...
    def __init__(self) -> None: ...
    def close(self) -> None: ...
    def get_username_password_from_header(
        self, request: PreparedRequest
    ) -> tuple[str, str] | None: ...
