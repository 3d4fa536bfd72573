"""Owns what is right: money, periods, rating, and the description of the books. Standard library only.

Does not own any I/O, any storage.
"""
