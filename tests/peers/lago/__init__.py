"""A Lago-speaking server for tests, written from Lago's published OpenAPI description (lago-openapi.yaml)."""
