"""`python -m tests.journeys.on_loopback seller`: a portal for whom every host is this machine, as for the browser of the test.

A deployment has names for its hosts; a test must not write into /etc/hosts. Nothing else about the portal is different.
"""

from __future__ import annotations

import socket
import sys
from typing import Any

from clients import serve

_of_the_system = socket.getaddrinfo


def _loopback(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
    return _of_the_system("127.0.0.1", port, *args, **kwargs)


# At import, not in main: the worker process that granian starts imports this file as well.
socket.getaddrinfo = _loopback

if __name__ == "__main__":
    sys.exit(serve.run(sys.argv[1]))
