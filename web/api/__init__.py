"""The API under /api/v1: what the console shows and does, as JSON, beside the usage events that come in there.

Every operation tells what it takes and answers (`operations.py`); the OpenAPI document is made of that.
"""

from web.api import (
    acting,
    asking,
    auditing,
    booking,
    dates,
    event_operations,
    idempotency,
    noting,
    people,
    reading,
    reference,
    repairing,
    scheduling,
    setting,
    sharing,
    teaming,
    trying,
    versioning,
    wishing,
    working,
)
from web.api.operations import pages

__all__ = [
    "acting",
    "asking",
    "auditing",
    "booking",
    "dates",
    "event_operations",
    "idempotency",
    "noting",
    "pages",
    "people",
    "reading",
    "reference",
    "repairing",
    "scheduling",
    "setting",
    "sharing",
    "teaming",
    "trying",
    "versioning",
    "wishing",
    "working",
]
