"""The API under /api/v1: what the console shows and does, as JSON, beside the usage events that come in there.

Every operation says in `operations.py`'s terms what it takes and answers; the OpenAPI document is made of that.
"""

from web.api import acting, reading
from web.api.operations import pages

__all__ = ["acting", "pages", "reading"]
