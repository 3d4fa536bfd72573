"""Owns our data: the warehouse of books and the operational store.

Does not own what a record means, rules, outside systems.
"""
