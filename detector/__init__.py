"""Owns the way from books to signals: derived relations, rules, evaluation, folding, the schedule.

Does not own outside systems, pages.
"""
