"""Keeping a folder as an upstream lists it: see :class:`~pulp_download.importer.importer.Importer`.

Needs SQLAlchemy, which ``pip install 'pulp_download[importer]'`` brings; nothing else in the
package imports this folder but the command line, where it is used.
"""
