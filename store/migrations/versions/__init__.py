"""One file per schema version, named `NNNN_what_changed.py`."""
