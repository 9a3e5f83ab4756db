"""The encodings of bodies: undone, or told as a failure; never content that is not what the server meant."""

from __future__ import annotations

import gzip
import random
import tracemalloc
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard
from geventhttpclient.response import HTTPParseError

from tests.generator.http.conftest import Be, Serve
from tests.generator.http.scripted import answer, chunked, in_turn, ok

TEXT = b"".join(b"%d: what is to be said\n" % number for number in range(300))
LIMIT = 100_000


def raw_deflate(content: bytes) -> bytes:
    """Compress without the wrapper that deflate ought to have."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


def streamed_zstd(content: bytes) -> bytes:
    """Compress without saying how long the content is, as servers do that make it on the way."""
    packer = zstandard.ZstdCompressor(write_checksum=True).compressobj()
    return packer.compress(content) + packer.flush()


Pack = Callable[[bytes], bytes]
PACKS: dict[str, tuple[bytes, Pack]] = {
    "gzip": (b"gzip", lambda content: gzip.compress(content, 1)),
    "deflate": (b"deflate", lambda content: zlib.compress(content, 1)),
    "raw deflate": (b"deflate", raw_deflate),
    "br": (b"br", lambda content: brotli.compress(content, quality=4)),
    "zstd": (b"zstd", zstandard.ZstdCompressor(write_checksum=True).compress),
    "streamed zstd": (b"zstd", streamed_zstd),
}
each_pack = pytest.mark.parametrize(("name", "pack"), PACKS.values(), ids=PACKS.keys())


def encoded(names: bytes, body: bytes) -> bytes:
    """Return an answer with an encoded body."""
    return ok(body, b"Content-Encoding: " + names)


def packed(names: bytes, content: bytes = TEXT) -> bytes:
    """Encode content in turn by encodings that are each known by its name."""
    for name in names.split(b", "):
        content = PACKS[name.decode()][1](content)
    return content


UNDONE = {
    **{name: encoded(header, pack(TEXT)) for name, (header, pack) in PACKS.items()},
    "none": ok(TEXT),
    "identity": encoded(b"identity", TEXT),
    "an empty list": encoded(b"", TEXT),
    "x-gzip": encoded(b"x-gzip", gzip.compress(TEXT)),
    "capitals": encoded(b"GZip", gzip.compress(TEXT)),
    "two": encoded(b"gzip, br", packed(b"gzip, br")),
    "two the other way round": encoded(b"br, gzip", packed(b"br, gzip")),
    "three": encoded(b"deflate, zstd, gzip", packed(b"deflate, zstd, gzip")),
    "one twice": encoded(b"gzip, gzip", packed(b"gzip, gzip")),
    "identity between": encoded(b"gzip,identity ,\tbr", packed(b"gzip, br")),
    "two headers": ok(packed(b"gzip, br"), b"Content-Encoding: gzip", b"X-A: b", b"Content-Encoding: br"),
    "gzip of several members": encoded(
        b"gzip", gzip.compress(TEXT[:100]) + gzip.compress(b"") + gzip.compress(TEXT[100:])
    ),
    "zstd of several frames": encoded(b"zstd", zstandard.compress(TEXT[:100]) + streamed_zstd(TEXT[100:])),
    "zstd with a frame to be skipped": encoded(b"zstd", b"\x50\x2a\x4d\x18\x03\0\0\0abc" + zstandard.compress(TEXT)),
    "gzip with a name and a comment": encoded(
        b"gzip", b"\x1f\x8b\x08\x18" + bytes(6) + b"name\0comment\0" + gzip.compress(TEXT)[10:]
    ),
    "in chunks": chunked(b"%x\r\n%b\r\n0\r\n\r\n" % (len(packed(b"gzip")), packed(b"gzip")), b"Content-Encoding: gzip"),
}


@pytest.mark.parametrize("data", UNDONE.values(), ids=UNDONE.keys())
def test_an_encoding_is_undone(serve: Serve, be: Be, data: bytes) -> None:
    """The content, and its length in the event, are those of what was meant."""
    server = serve(in_turn(data, ok()))
    someone = be(server.url)
    response = someone.client.get("/")
    assert (response.content, response.text) == (TEXT, TEXT.decode())
    assert (someone.the_one()["exception"], someone.last["response_length"]) == (None, len(TEXT))
    assert someone.client.get("/").content == b"hello"
    assert server.connections == 1


@each_pack
@pytest.mark.parametrize("size", [0, 1, 65_536, 3_000_000])
def test_content_of_any_size(serve: Serve, be: Be, name: bytes, pack: Pack, size: int) -> None:
    """From nothing to what is longer than any buffer."""
    content = random.Random(size).randbytes(min(size, 200_000)) * (size // 200_000 or 1)
    server = serve(encoded(name, pack(content)))
    assert be(server.url).client.get("/").content == content


@pytest.mark.parametrize("name", [b"gzip", b"deflate", b"br", b"zstd", b"identity", b"unknown"])
def test_nothing_needs_no_undoing(serve: Serve, be: Be, name: bytes) -> None:
    """An empty body is empty in every encoding; one of HEAD and 304 too."""
    server = serve(in_turn(encoded(name, b""), answer(b"HTTP/1.1 304 Not Modified", b"Content-Encoding: " + name)))
    someone = be(server.url)
    assert [someone.client.get("/").content for _ in range(2)] == [b"", b""]
    assert [told["exception"] for told in someone.told] == [None, None]


def ruined(body: bytes) -> bytes:
    """Return a body with bytes in its middle turned."""
    middle = len(body) // 2
    return body[:middle] + bytes(255 - byte for byte in body[middle : middle + 8]) + body[middle + 8 :]


DAMAGED = {
    **{f"{name}, ruined": encoded(header, ruined(pack(TEXT))) for name, (header, pack) in PACKS.items()},
    **{
        f"{name}, cut in half": encoded(header, pack(TEXT)[: len(pack(TEXT)) // 2])
        for name, (header, pack) in PACKS.items()
    },
    **{f"{name}, without its end": encoded(header, pack(TEXT)[:-1]) for name, (header, pack) in PACKS.items()},
    **{f"{name}, one byte": encoded(header, pack(TEXT)[:1]) for name, (header, pack) in PACKS.items()},
    **{f"{name}, plain text after all": encoded(header, TEXT) for name, (header, pack) in PACKS.items()},
    **{f"{name}, and more": encoded(header, pack(TEXT) + TEXT) for name, (header, pack) in PACKS.items()},
    "gzip, a wrong sum": encoded(b"gzip", gzip.compress(TEXT)[:-8] + bytes(4) + gzip.compress(TEXT)[-4:]),
    "gzip, a second member cut off": encoded(b"gzip", gzip.compress(TEXT) + gzip.compress(TEXT)[:-1]),
    "zstd, a second frame cut off": encoded(b"zstd", zstandard.compress(TEXT) + zstandard.compress(TEXT)[:-1]),
    "the wrong one": encoded(b"br", gzip.compress(TEXT)),
    "the wrong order": encoded(b"br, gzip", packed(b"gzip, br")),
    "an unknown one": encoded(b"compress", TEXT),
    "an unknown one after a known": encoded(b"gzip, sdch", gzip.compress(TEXT)),
    "two in one": encoded(b"gzip br", packed(b"gzip, br")),
}


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED.keys())
def test_what_cannot_be_undone_is_a_failure(serve: Serve, be: Be, data: bytes) -> None:
    """The answer is there as it came, its request has failed, and the connection is none the worse."""
    server = serve(in_turn(data, ok()))
    someone = be(server.url)
    response = someone.client.get("/")
    body = data.partition(b"\r\n\r\n")[2]
    told = someone.the_one()
    assert isinstance(told["exception"], (zlib.error, HTTPParseError))
    assert (response.status_code, response.content, told["response_length"]) == (200, body, len(body))
    assert someone.client.get("/").content == b"hello"
    assert server.connections == 1


def test_a_status_that_is_a_failure_stays_the_reason(serve: Serve, be: Be) -> None:
    """What was wrong with the body of an error page does not hide the error."""
    server = serve(ok(b"no gzip", b"Content-Encoding: gzip", status=b"503 Busy"))
    someone = be(server.url)
    someone.client.get("/")
    assert "503" in str(someone.the_one()["exception"])


@each_pack
@pytest.mark.parametrize(("size", "is_refused"), [(LIMIT, False), (LIMIT + 1, True), (50 * LIMIT, True)])
def test_a_body_may_grow_so_far(serve: Serve, be: Be, *, name: bytes, pack: Pack, size: int, is_refused: bool) -> None:
    """What would be longer than the limit is a failure."""
    server = serve(encoded(name, pack(bytes(size))))
    someone = be(server.url, most_body_bytes=LIMIT)
    response = someone.client.get("/")
    told = someone.the_one()
    assert isinstance(told["exception"], HTTPParseError) is is_refused
    assert is_refused or response.content == bytes(size)


BOMBS = {
    "gzip": (b"gzip", b"gzip"),
    "deflate": (b"deflate", b"deflate"),
    "br": (b"br", b"br"),
    "zstd": (b"zstd", b"zstd"),
    "gzip in gzip": (b"gzip, gzip", b"gzip, gzip"),
    "zstd in br": (b"zstd, br", b"zstd, br"),
}


@pytest.mark.parametrize(("header", "names"), BOMBS.values(), ids=BOMBS.keys())
def test_a_bomb_takes_no_memory(serve: Serve, be: Be, header: bytes, names: bytes) -> None:
    """Not even while it is found out."""
    server = serve(encoded(header, packed(names, bytes(60_000_000))))
    someone = be(server.url, most_body_bytes=LIMIT)
    someone.client.get("/")
    tracemalloc.start()
    try:
        someone.client.get("/")
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [type(told["exception"]) for told in someone.told] == [HTTPParseError] * 2
    assert most < 45_000_000


def test_many_members_are_one_body(serve: Serve, be: Be) -> None:
    """The limit is for all of them together."""
    server = serve(encoded(b"gzip", gzip.compress(bytes(1000)) * 101))
    someone = be(server.url, most_body_bytes=LIMIT)
    someone.client.get("/")
    assert type(someone.the_one()["exception"]) is HTTPParseError


def test_what_can_be_undone_is_what_is_asked_for(serve: Serve, be: Be) -> None:
    """Unless the user asks for something else."""
    server = serve(ok())
    client = be(server.url).client
    client.get("/")
    client.get("/", headers={"accept-encoding": "identity"})
    client.post("/", json={})
    assert [asked.header("Accept-Encoding") for asked in server.asked] == [
        "gzip, deflate, br, zstd",
        "identity",
        "gzip, deflate, br, zstd",
    ]
