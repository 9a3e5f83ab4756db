"""A target that costs next to nothing, nginx on a core of its own, and processes on theirs: what benchmarks share."""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.rig.rigs import free_ports as free_ports  # noqa: E402, PLC0414

STRAIGHT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # past any proxy
CONFIG = Path(__file__).with_name("nginx.conf.in")
GENERATOR_CORE, TARGET_CORE = 0, 1
GZIP_CONTENT_BYTES = 10_000


@contextmanager
def process(core: int | None, *command: str, log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command on one core, or on any, until the block is left."""
    pinned = () if core is None else ("taskset", "--cpu-list", str(core))
    with log.open("ab") as output:
        child = subprocess.Popen(
            [*pinned, *command],
            cwd=ROOT,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def until(what: str, look: Callable[[], Any], within_s: float = 30.0) -> Any:
    """Poll until something is true and return it; no answer counts as not yet."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            if seen := look():
                return seen
        except OSError:
            pass
        time.sleep(0.1)
    raise SystemExit(f"not within {within_s:g} s: {what}")


def ask(url: str, **form: Any) -> str:
    """GET, or POST a form."""
    with STRAIGHT.open(url, urllib.parse.urlencode(form).encode() if form else None, timeout=10) as answer:
        text: str = answer.read().decode()
    return text


@contextmanager
def target(folder: Path) -> Iterator[str]:
    """Run nginx and give its URL: /tests has an answer of 82 bytes, /gzip one of 10 KB packed, /post takes anything."""
    binary = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if binary is None:
        raise SystemExit("nginx is not installed (Debian: apt install nginx-light)")
    port = free_ports()
    config = folder / "nginx.conf"
    config.write_text(CONFIG.read_text().replace("@FOLDER@", str(folder)).replace("@PORT@", str(port)))
    (folder / "gzip").mkdir(exist_ok=True)
    (folder / "gzip" / "index.json.gz").write_bytes(gzip.compress(_content(), mtime=0))
    folder.chmod(0o755)  # nginx serves as somebody else
    with process(TARGET_CORE, binary, "-p", str(folder), "-c", str(config), log=folder / "nginx.log"):
        until("nginx answers", lambda: ask(f"http://127.0.0.1:{port}/count"))
        yield f"http://127.0.0.1:{port}"


def served(url: str) -> int:
    """Return how many requests nginx has had: the third figure of the third line."""
    return int(ask(f"{url}/count").splitlines()[2].split()[2])


def accepted(url: str) -> int:
    """Return how many connections nginx has accepted: the first figure of the third line."""
    return int(ask(f"{url}/count").splitlines()[2].split()[0])


def _content() -> bytes:
    """Return a list such as the lab's API gives, of some 10 KB, the same each time."""
    dealt = random.Random(1)
    items: list[dict[str, str]] = []
    while len(json.dumps(items)) < GZIP_CONTENT_BYTES:
        words = ("".join(dealt.choices("etaoinshrdlu", k=dealt.randint(2, 9))) for _ in range(8))
        items.append({"name": next(words), "description": " ".join(words)})
    return json.dumps(items).encode()
