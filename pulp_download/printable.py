"""Text from outside, made safe to show."""


def printable(text: str) -> str:
    """Return text from outside with what could steer a terminal or a log escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
