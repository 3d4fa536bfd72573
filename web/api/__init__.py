"""The API under /api/v1: what the console shows and does, as JSON, beside the usage events that come in there.

Every operation tells what it takes and answers (`operations.py`); the OpenAPI document is made of that.
"""

from web.api import acting, event_operations, reading, reference
from web.api.operations import pages

__all__ = ["acting", "event_operations", "pages", "reading", "reference"]
