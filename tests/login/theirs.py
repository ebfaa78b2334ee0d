"""npm's oidc-provider as another provider: the process, and a person's browser there."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from tests import machine

SECRET = "t" * 40


@contextmanager
def running(*clients: dict[str, Any]) -> Iterator[str]:
    """The provider with these clients; its issuer. Ask `machine.relying_parties()` first."""
    port = machine.free_port()
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    script = Path(__file__).with_name("oidc_provider.mjs")
    process = subprocess.Popen([str(machine.node()), str(script)], text=True, cwd=script.parent.parent, **pipes)
    try:
        process.stdin.write(json.dumps({"port": port, "clients": clients}) + "\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline()) == {"ready": True}
        yield f"http://127.0.0.1:{port}"
    finally:
        process.stdin.close()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def client(redirect_uri: str, client_id: str = "us", **more: object) -> dict[str, Any]:
    """Our registration there."""
    given = {"client_id": client_id, "client_secret": SECRET, "redirect_uris": [redirect_uri], "response_types": ["code"]}
    return {**given, "grant_types": ["authorization_code"], **more}


def agree(address: str, who: str = "vera", *, answer: str = "yes") -> httpx2.Response:
    """A person's way through its pages, from the address that they were sent to; what it answers at last."""
    with httpx2.Client() as browser:
        page = browser.get(address)
        while page.status_code in {302, 303} and "/login/social/" not in page.headers["Location"]:
            page = browser.get(page.url.join(page.headers["Location"]))
        page = browser.post(page.url, data={"login": who, "answer": answer})
        while page.status_code in {302, 303} and "/login/social/" not in page.headers["Location"]:
            page = browser.get(page.url.join(page.headers["Location"]))
        return page
