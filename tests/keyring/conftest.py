"""What these tests stand on: an empty database."""

from tests.ground import ground

__all__ = ["ground"]
