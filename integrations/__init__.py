"""Owns reading from and writing to outside systems, one file per system.

Does not own storage, rules, signals.
"""
