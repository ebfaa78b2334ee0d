"""`python -m clients.staff`: serve this portal. Its environment is told in `clients/settings.py`."""

import sys

from clients import serve

if __name__ == "__main__":
    sys.exit(serve.run("staff"))
