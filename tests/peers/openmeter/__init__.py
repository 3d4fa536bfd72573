"""An OpenMeter-speaking server for tests, written from OpenMeter's published OpenAPI description."""
