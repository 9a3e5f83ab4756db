"""Turns what a user gives as `data`, `json` or `files` into the bytes of a body."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from geventhttpclient.client import _iter_chunked
from geventhttpclient.useragent import _encode_multipart_formdata

CHUNK = 64 * 1024
FORM = "application/x-www-form-urlencoded; charset=utf-8"
TEXT = "text/plain; charset=utf-8"
BYTES = "application/octet-stream"


def encode(data: Any, files: Any) -> tuple[bytes | Iterator[bytes], str, bool]:
    """Return a body, its content type, and whether that has to be the one: it holds the parts' boundary.

    The body of what has no known length, an iterable or a stream, is its chunks as they are sent.

    Raises:
        ValueError, TypeError: it cannot be a body.
    """
    if files:
        body, kind = _encode_multipart_formdata(files, data)
        return body, kind, True
    if isinstance(data, dict):
        return urlencode(data).encode(), FORM, False
    if isinstance(data, str):
        return data.encode(), TEXT, False
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data), BYTES, False
    if hasattr(data, "fileno"):
        content = data.read()
        return content.encode() if isinstance(content, str) else content, BYTES, False
    return chunks(data), BYTES, False


def chunks(data: Any) -> Iterator[bytes]:
    """Yield the chunks of a body as they are sent."""
    return _iter_chunked(data, CHUNK)
