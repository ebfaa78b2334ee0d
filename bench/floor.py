"""The floor: the least that a durable provider on the same server can do per request, as bare Flask views.

`/do?commits=1&signs=2&verifies=0&reads=0`: so many durable commits (SQLite, WAL, synchronous FULL), ES256 signatures, verifications and
look-ups by primary key. No parsing, no rules: what we add to this is ours.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import sqlite3
import threading
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from flask import Flask, Response, request

KEY = ec.generate_private_key(ec.SECP256R1())
ALGORITHM = ec.ECDSA(hashes.SHA256())
MESSAGE = base64.urlsafe_b64encode(os.urandom(300))
SIGNATURE = KEY.sign(MESSAGE, ALGORITHM)
PUBLIC = KEY.public_key()
_local = threading.local()


def _database() -> sqlite3.Connection:
    connection: sqlite3.Connection | None = getattr(_local, "connection", None)
    if connection is None:
        connection = _local.connection = sqlite3.connect(os.environ["FLOOR_DATABASE"], isolation_level=None, timeout=20)
        for pragma in ("journal_mode=WAL", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("CREATE TABLE IF NOT EXISTS tokens (digest TEXT PRIMARY KEY, client TEXT, at INTEGER)")
        connection.execute("INSERT OR IGNORE INTO tokens VALUES ('known', 'bench', 0)")
    return connection


def create() -> Any:
    """The WSGI callable."""
    app = Flask("floor")

    @app.route("/do", methods=["GET", "POST"])
    def do() -> Response:
        wanted = {name: int(request.args.get(name, 0)) for name in ("commits", "signs", "verifies", "reads")}
        for _ in range(wanted["reads"]):
            _database().execute("SELECT client, at FROM tokens WHERE digest = 'known'").fetchone()
        for _ in range(wanted["verifies"]):
            PUBLIC.verify(SIGNATURE, MESSAGE, ALGORITHM)
        for _ in range(wanted["commits"]):
            _database().execute("INSERT INTO tokens VALUES (?, 'bench', 0)", (secrets.token_hex(32),))
        for _ in range(wanted["signs"]):
            utils.decode_dss_signature(KEY.sign(MESSAGE, ALGORITHM))
        return Response(json.dumps({"access_token": secrets.token_urlsafe(32)}), mimetype="application/json")

    return app
