"""Benchmarks: each is a ratio to a floor that is measured in the same run, in turns.

``pytest --benchmark-only [--scale S]`` runs them; ``python -m bench`` also writes the table and the
picture of ``docs/speed.md``.
"""
