"""DATABASE_URL by pg8000: one connection, opened again after a failure."""

import os
import threading
from urllib.parse import parse_qs, unquote, urlsplit

from pg8000.exceptions import InterfaceError
from pg8000.native import Connection


class Database:
    def __init__(self):
        self._lock = threading.Lock()
        self._connection = None

    def run(self, text, **values):
        """Rows of one statement, which is tried once more on a new connection if the old one turns out to be gone."""
        with self._lock:
            kept = self._connection is not None
            try:
                return self._attempt(text, values)
            except (InterfaceError, OSError):
                if not kept:
                    raise
                return self._attempt(text, values)

    def check(self):
        self.run("SELECT 1")

    def _attempt(self, text, values):
        try:
            self._connection = self._connection or connect()
            return self._connection.run(text, **values)
        except (InterfaceError, OSError):
            self._connection = None
            raise


def connect():
    url = urlsplit(os.environ["DATABASE_URL"])
    port = url.port or 5432
    folder = parse_qs(url.query).get("host", [None])[0]
    return Connection(
        unquote(url.username or ""),
        host=None if folder else url.hostname,
        port=port,
        unix_sock=f"{folder}/.s.PGSQL.{port}" if folder else None,
        database=url.path.lstrip("/") or None,
        password=unquote(url.password) if url.password else None,
        timeout=5,
    )
