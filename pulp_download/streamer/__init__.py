"""Passing files on as they come, from any upstream to the clients of a web server.

A streamer is given a :class:`~pulp_download.streamer.supplier.Supplier`, something with
``get_download(path)``, and knows nothing else of upstreams. Nothing is written to disk, memory is
bounded, and what does not verify never looks like a whole file.

``bridge`` and ``pool`` carry bytes from threads to an event loop; ``asked``, ``conditions``,
``headers``, ``failures`` and ``answers`` say what HTTP wants. ``twisted`` is the resource, and the
only door here that needs Twisted (``pip install 'pulp_download[streamer]'``); ``asgi`` and ``wsgi``
are applications for those who run Starlette, FastAPI, Flask or Django, and need none of them.
"""
