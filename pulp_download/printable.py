"""Text from outside: whether it is text at all, and made safe to show."""

import re

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def is_unicode(text: str) -> bool:
    """Tell whether text can be encoded, for it has no lone surrogates."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def printable(text: str) -> str:
    """Return text from outside with what could steer a terminal or a log escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
