"""Sphinx settings. Warnings are errors (./dev docs), and building needs no network."""

from pulp_download.version import VERSION

project = "pulp_download"
author = "Pulp Project Developers"
copyright = f"the {author}"
release = VERSION

extensions = ["sphinx.ext.autodoc"]
exclude_patterns = ["_build"]

# The source's order is the order of reading.
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}

html_theme = "alabaster"
html_theme_options = {"description": "Many files, verified", "page_width": "1000px"}
html_show_sourcelink = False
