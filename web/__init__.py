"""Owns the console and the JSON API, a thin layer over the jobs.

Does not own any decision about signals, nor any call to an outside system.
"""

from web.app import create_app

__all__ = ["create_app"]
