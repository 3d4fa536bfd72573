"""Owns what is unusual in usage: series in; expectation, score, alarm and reason out. Nothing looks ahead.

Does not own where series come from, rules, signals, pages. `score` and `newest` are the doors; `reading` serves files.
"""

from detector.unusual.scoring import Scoring, newest, score, threshold

__all__ = ["Scoring", "newest", "score", "threshold"]
