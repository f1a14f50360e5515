"""A streamer of one's own, run by twistd.

    STREAMER_DATABASE=content.sqlite twistd -n -y examples/streamer.tac

The supplier looks files up in a database, as a plugin of a repository manager does: a table
``content`` of ``path``, ``url``, ``size`` and ``sha256``. How they are fetched is the remote's
business, and the streamer knows neither. STREAMER_LISTEN is where clients come in, as Twisted
writes it: ``tcp:8080:interface=127.0.0.1`` unless given, ``ssl:443:privateKey=...`` for HTTPS
and HTTP/2.
"""

import os
import sqlite3
from contextlib import closing

from twisted.application.service import Application, Service
from twisted.application.strports import service

from pulp_download import DigestValidation, Download, NotFound, Remote, SizeValidation
from pulp_download.streamer.twisted import site

DATABASE = os.environ["STREAMER_DATABASE"]
LISTEN = os.environ.get("STREAMER_LISTEN", "tcp:8080:interface=127.0.0.1")


class Content:
    """Supplies what the database lists. Asked in several threads at once."""

    def __init__(self, remote):
        self.remote = remote

    def get_download(self, path):
        with closing(sqlite3.connect(DATABASE)) as database:
            row = database.execute(
                "SELECT url, size, sha256 FROM content WHERE path = ?", [path]
            ).fetchone()
        if row is None:
            raise NotFound(404, "not listed", url=path)
        url, size, sha256 = row
        expected = [SizeValidation(size), DigestValidation("sha256", sha256)]
        return Download(url, validations=expected, remote=self.remote)


class Closing(Service):
    """Closes the remote when the application stops."""

    def __init__(self, remote):
        self.remote = remote

    def stopService(self):
        self.remote.close()


# Streams share this remote's connections, limits and credentials.
remote = Remote(per_host=20)

application = Application("streamer")
Closing(remote).setServiceParent(application)
service(LISTEN, site(Content(remote))).setServiceParent(application)
