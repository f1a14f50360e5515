"""``ftp://`` and ``ftps://``: requests-ftp's adapter with connections and transfers of its own.

``adapter`` answers a session's requests. ``place`` says where a URL leads, ``replies`` what a
refusal means; ``dialogue`` speaks line by line, ``control`` is a logged-in connection and ``pool``
lends them out; ``body`` reads a data connection, ``conditions`` reads Range and If-Modified-Since.
``verbs`` are requests-ftp's own, which read a ``transfer``. Imported only when an FTP URL is used:
requests-ftp imports what Python 3.13 no longer has.
"""
