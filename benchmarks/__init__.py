"""Measurements, run by ``./dev bench``: what the documentation says in figures comes from here."""
