"""localstripe, a Stripe-speaking server by others: `python -m tests.integrations.localstripe_server PORT`.

Its own start binds every interface and writes its whole store to disk at each change; both are left out here.
"""

from __future__ import annotations

import sys

from aiohttp import web
from localstripe import resources
from localstripe.server import app


def main(port: int) -> None:
    """Serves on this host until killed."""
    type(resources.store).dump_to_disk = lambda self: None
    web.run_app(app, host="127.0.0.1", port=port, print=None, access_log=None)


if __name__ == "__main__":
    main(int(sys.argv[1]))
