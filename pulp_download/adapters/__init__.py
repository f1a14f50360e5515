"""Transport adapters for a ``requests.Session``, one file per protocol.

They follow the contract of ``requests.adapters.BaseAdapter``, so that whatever else does can be
mounted beside them, and they know nothing of downloads.
"""
