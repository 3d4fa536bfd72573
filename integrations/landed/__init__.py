"""Billing records that a loader has landed in a warehouse: read there, in the loader's own layout.

Owns the layouts of dlt, Airbyte and Fivetran for Stripe; does not own the reading of mapped tables (integrations.sql,
which it is a part of) nor what Stripe's fields mean (integrations.stripe).
"""
