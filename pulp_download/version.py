"""This library's version, in the one place that the packaging reads too."""

VERSION = "0.1.0.dev0"
