"""Undoes the encodings of bodies. What is announced as acceptable is what can be undone here."""

from __future__ import annotations

import zlib

import brotli
import zstandard
from geventhttpclient.response import HTTPParseError

ACCEPTED = "gzip, deflate, br, zstd"
GZIP_WINDOW = 16 + zlib.MAX_WBITS
ZSTD_STEP = 1024  # bytes that are undone at a time: four of them can stand for 128 KiB


def decode(body: bytes, encodings: str, most: int) -> bytes:
    """Return a body with its encodings undone, the last one that was applied first.

    Raises:
        zlib.error: it is damaged, or cut off.
        HTTPParseError: it would be longer than `most` bytes, or is damaged in another encoding's way, or the encoding
            is unknown.
    """
    for encoding in reversed(encodings.lower().split(",")):
        body = _decode(body, encoding.strip(), most)
    return body


def _decode(body: bytes, encoding: str, most: int) -> bytes:
    if encoding in ("identity", "") or not body:
        return body
    if encoding in ("gzip", "x-gzip"):
        return _inflate(body, GZIP_WINDOW, most)
    if encoding == "deflate":
        try:
            return _inflate(body, zlib.MAX_WBITS, most)
        except zlib.error:  # many servers send it without its wrapper
            return _inflate(body, -zlib.MAX_WBITS, most)
    if encoding == "br":
        return _brotli(body, most)
    if encoding == "zstd":
        return _zstd(body, most)
    raise HTTPParseError(f"unknown content encoding: {encoding}")


def _inflate(body: bytes, window: int, most: int) -> bytes:
    parts = []
    while body:
        stream = zlib.decompressobj(window)
        parts.append(stream.decompress(body, most + 1))
        if not stream.eof:
            _check(parts, most)
            raise zlib.error("incomplete or truncated stream")
        _check(parts, most)
        body = stream.unused_data  # gzip files may follow each other; what is none is damage
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _brotli(body: bytes, most: int) -> bytes:
    stream = brotli.Decompressor()
    try:
        parts = [stream.process(body, output_buffer_limit=most + 1)]
        while not stream.is_finished() and sum(map(len, parts)) <= most:
            part = stream.process(b"", output_buffer_limit=most + 1)
            if not part:
                raise HTTPParseError("incomplete or truncated brotli stream")
            parts.append(part)
    except brotli.error as error:
        raise HTTPParseError(f"damaged brotli stream: {error}") from None
    _check(parts, most)
    return b"".join(parts)


def _zstd(body: bytes, most: int) -> bytes:
    parts, size = [], 0
    try:
        while body:  # frames may follow each other
            stream = zstandard.ZstdDecompressor().decompressobj()
            fed = 0
            while not stream.eof:
                if fed >= len(body):
                    raise HTTPParseError("incomplete or truncated zstd stream")
                parts.append(stream.decompress(body[fed : fed + ZSTD_STEP]))
                fed += ZSTD_STEP
                size += len(parts[-1])
                if size > most:
                    raise _too_long(most)
            body = stream.unused_data + body[fed:]
    except zstandard.ZstdError as error:
        raise HTTPParseError(f"damaged zstd stream: {error}") from None
    return b"".join(parts)


def _check(parts: list[bytes], most: int) -> None:
    if sum(map(len, parts)) > most:
        raise _too_long(most)


def _too_long(most: int) -> HTTPParseError:
    return HTTPParseError(f"a body of more than {most} bytes when its encoding is undone")
