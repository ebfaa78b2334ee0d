"""Forms with files in them: multipart/form-data (RFC 7578), read by werkzeug's parser, into memory.

How much there may be was decided before: the route says it (`Route.largest`), and the body is not larger.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

from werkzeug.formparser import MultiPartParser
from werkzeug.http import parse_options_header

from idp.errors import N_, BadInput

KIND = "multipart/form-data"
PARTS = 20  # fields and files of one form
FIELD_BYTES = 65536  # of one field; a file may have as much as the body


def read(body: bytes, content_type: str) -> tuple[list[tuple[str, str]], dict[str, bytes]]:
    """The fields in the order they came, and the files by the names of their fields; raises BadInput.

    A file's name and type are what a stranger says: nobody looks at them. A second file of one field is refused, not picked from.
    """
    boundary = parse_options_header(content_type)[1].get("boundary", "")
    unreadable = BadInput(N_("What was sent cannot be read. Send the form again."), detail="an unreadable multipart body")
    if not boundary or not boundary.isascii():
        raise unreadable
    parser = MultiPartParser(stream_factory=_in_memory, max_form_memory_size=FIELD_BYTES, max_form_parts=PARTS)
    try:
        fields, files = parser.parse(BytesIO(body), boundary.encode("ascii"), len(body))
    except Exception as e:  # of a part without a name it is a KeyError: made-up bytes find more than anybody lists
        raise unreadable from e
    if any(name is None for name in (*fields, *files)) or any(len(files.getlist(name)) > 1 for name in files):
        raise unreadable
    return list(fields.items(multi=True)), {name: file.stream.read() for name, file in files.items()}


def _in_memory(*_: Any, **__: Any) -> BytesIO:
    """Where a file is written to while it is read: never the disk."""
    return BytesIO()
