"""The fault bench: loopback servers that do any wrong thing a test asks for (Linux).

``FaultServer`` runs scripts. A script is a function of a ``Conversation`` (one connection) and a
``Request``; the smallest ones are in ``steps``, known wrong answers made of them in ``faults``, a
good file server in ``files``. ``Gate`` holds requests until the test lets them go. ``FaultProxy``
is a fault server that passes on; ``Blackhole`` never answers a connect; ``tls`` makes
certificates; ``leaks`` finds what a test left behind. ``ledger`` is the servers' shared record.

``tests.servers.ftp`` has the same for FTP, with names of its own for its steps;
``tests.servers.ftp_real`` starts FTP servers that others wrote.

Imports go one way: server -> listener -> gate, steps -> conversation -> ledger -> request.
"""

from tests.servers.blackhole import Blackhole
from tests.servers.conversation import Conversation, Cut, PeerGone
from tests.servers.faults import (
    LAST_CHUNK,
    chunk,
    chunked,
    cut_response,
    dripped_body,
    dripped_head,
    endless_body,
    endless_continue,
    endless_headers,
    endless_trickle,
    interim,
    redirect,
    stalled_before_head,
    stalled_body,
    stalled_in_head,
    surplus,
    truncated,
    until_close,
)
from tests.servers.files import published
from tests.servers.gate import Gate
from tests.servers.leaks import nothing_left
from tests.servers.proxy import FaultProxy
from tests.servers.request import Headers, Request
from tests.servers.server import FaultServer
from tests.servers.steps import (
    Answer,
    Script,
    cut,
    drip,
    head,
    head_bytes,
    hold,
    in_turn,
    next_request_begins,
    pause,
    repeat,
    reply,
    response_bytes,
    send,
    send_raw,
    steps,
    when,
)
from tests.servers.tls import Authority, authority, other_authority

__all__ = [
    "LAST_CHUNK",
    "Answer",
    "Authority",
    "Blackhole",
    "Conversation",
    "Cut",
    "FaultProxy",
    "FaultServer",
    "Gate",
    "Headers",
    "PeerGone",
    "Request",
    "Script",
    "authority",
    "chunk",
    "chunked",
    "cut",
    "cut_response",
    "drip",
    "dripped_body",
    "dripped_head",
    "endless_body",
    "endless_continue",
    "endless_headers",
    "endless_trickle",
    "head",
    "head_bytes",
    "hold",
    "in_turn",
    "interim",
    "next_request_begins",
    "nothing_left",
    "other_authority",
    "pause",
    "published",
    "redirect",
    "repeat",
    "reply",
    "response_bytes",
    "send",
    "send_raw",
    "stalled_before_head",
    "stalled_body",
    "stalled_in_head",
    "steps",
    "surplus",
    "truncated",
    "until_close",
    "when",
]
