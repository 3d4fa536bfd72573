"""A Chargebee-speaking server for tests, written from Chargebee's documentation of API v2 (Product Catalog 2.0)."""
