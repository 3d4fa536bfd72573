"""A Zuora-speaking server for tests, written from Zuora's published descriptions of OAuth and the object queries."""
