"""The operational store's schema, version by version. `store.operational.migrate` runs them; each only goes forward."""
