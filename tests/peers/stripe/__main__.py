"""`python -m tests.peers.stripe [--port P] [--books DIR] [--integration NAME] [--key KEY] [--now INSTANT]`"""

from __future__ import annotations

import argparse
from datetime import datetime
from pathlib import Path

from tests.peers.stripe.books import read_folder
from tests.peers.stripe.server import Server, serve


def main() -> None:
    """Loads the books, if any, and serves until killed."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.peers.stripe", description="A Stripe-speaking server for tests."
    )
    parser.add_argument("--port", type=int, default=0, help="0: any that is free, said on standard output")
    parser.add_argument("--books", type=Path, help="a books folder to load")
    parser.add_argument("--integration", help="load only rows of this integration")
    parser.add_argument("--key", default="sk_test_peer", help="the API key to accept")
    parser.add_argument("--now", type=datetime.fromisoformat, help="what time it is when it starts, with offset")
    given = parser.parse_args()
    server = Server(given.key, given.now)
    if given.books:
        server.account.load(read_folder(given.books, given.integration), announce=False)
    serve(server, given.port)


main()
