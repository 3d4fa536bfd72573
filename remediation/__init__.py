"""Owns advice, actions, approval, execution and verification.

Does not own detection, pages.
"""
