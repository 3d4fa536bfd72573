"""Owns what a language model may say about a signal: what it is told, and what of its answer is kept.

A model ranks, explains and orders what code has found. It is told only what code worked out, with names masked; it can
change nothing; and of what it says only those sentences are kept that the evidence they cite supports.
Does not own the root cause, the actions, or any amount.
"""
