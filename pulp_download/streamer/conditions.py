"""Whether a client has it already: If-None-Match and If-Modified-Since (RFC 9110 section 13)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pulp_download.retries import parse_http_date

# An entity tag (section 8.8.3), and a list of them, with empty members (section 5.6.1.2).
_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_LIST = re.compile(rf"[ \t,]*(?:{_TAG.pattern}[ \t]*(?:,[ \t,]*|\Z))+")


def is_unchanged(
    etag: str | None,
    last_modified: str | None,
    *,
    if_none_match: Sequence[str],
    if_modified_since: str | None,
) -> bool:
    """Tell whether the client's copy is as good as upstream's, so that 304 is the answer.

    ``if_none_match`` are the values of all such fields; tags are compared weakly (section 8.8.3.2).
    Where there is one, If-Modified-Since is not looked at (section 13.1.3). A condition that is
    malformed does not hold.
    """
    if if_none_match:
        return _matches(etag, ",".join(if_none_match))
    if if_modified_since is None or last_modified is None:
        return False
    since, modified = parse_http_date(if_modified_since), parse_http_date(last_modified)
    return since is not None and modified is not None and modified <= since


def _matches(etag: str | None, condition: str) -> bool:
    if condition.strip(" \t") == "*":
        return True
    ours = _TAG.fullmatch(etag.strip(" \t")) if etag is not None else None
    if ours is None or not _LIST.fullmatch(condition):
        return False
    return ours[1] in _TAG.findall(condition)
