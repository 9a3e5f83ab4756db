"""Reads a request's body whole, bounded in size and time, before anything else is spent on the request."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from api.problems import Problem, invalid_field

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

BODY_MAX_BYTES = 64 * 1024
#: Longest silence of a client in the middle of its body.
SILENCE_MAX_S = 20


def read_body(environ: WSGIEnvironment) -> None:
    """Put the whole body in memory in place of the stream.

    Raises ``Problem`` 413 over 64 KiB (declared, or found while reading a chunked body), 408 when the client falls
    silent, 400 when the body breaks off.
    """
    declared = environ.get("CONTENT_LENGTH")
    chunked = "HTTP_TRANSFER_ENCODING" in environ
    if not chunked and (not declared or declared == "0"):
        environ["wsgi.input"] = io.BytesIO()
        return
    length = _declared_length(declared)
    if not chunked and length > BODY_MAX_BYTES:
        raise _too_large()
    body = _read(environ, BODY_MAX_BYTES + 1 if chunked else length)
    if len(body) > BODY_MAX_BYTES:
        raise _too_large()
    if not chunked and len(body) < length:
        raise invalid_field(400, "body", f"ends after {len(body)} of {length} bytes")
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ.pop("HTTP_TRANSFER_ENCODING", None)


def _declared_length(declared: str | None) -> int:
    if not declared:
        return 0
    if not (declared.isascii() and declared.isdigit()):
        raise invalid_field(400, "Content-Length", "must be a whole number")
    return int(declared)


def _read(environ: WSGIEnvironment, size: int) -> bytes:
    socket = environ.get("gunicorn.socket")
    if socket is not None:
        socket.settimeout(SILENCE_MAX_S)
    try:
        body: bytes = environ["wsgi.input"].read(size)
    except TimeoutError:
        raise Problem(408, f"the body did not arrive: silence for {SILENCE_MAX_S} s") from None
    except Exception as error:  # gunicorn's parser has a dozen exceptions for a broken chunked body
        raise invalid_field(400, "body", f"cannot be read: {type(error).__name__}") from None
    finally:
        if socket is not None:
            socket.settimeout(None)
    return body


def _too_large() -> Problem:
    message = f"must be at most {BODY_MAX_BYTES} bytes long"
    return invalid_field(413, "body", message)
