"""Owns who may sign in and what they may do: accounts, roles, approval limits, sessions, invitations, API tokens.

Does not own pages (web), nor the audit's rows (store.audit), which whatever writes a change calls.
"""
