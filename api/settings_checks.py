"""The checks a range cannot express. Each takes a value, returns it, or raises ``ValueError`` with what is allowed."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

SQLITE_SCHEMES = {"sqlite", "sqlite+pysqlite"}
POSTGRES_SCHEMES = {"postgres", "postgresql", "postgresql+psycopg"}
_INSTANCE = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_HOST = re.compile(r"\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+")


def check_database_url(url: SecretStr) -> SecretStr:
    """A file-backed SQLite URL or a PostgreSQL URL; what is wrong is told without repeating the URL."""
    allowed = "sqlite:////absolute/path.db or postgresql://user:password@host:5432/name"
    try:
        parts = urlsplit(url.get_secret_value())
        port = parts.port
    except ValueError:
        raise ValueError(f"{allowed}; special characters in a password are percent-encoded") from None
    if parts.netloc.count("@") > 1:
        raise ValueError(f"{allowed}; special characters in a password are percent-encoded")
    if parts.scheme in SQLITE_SCHEMES:
        _check_sqlite(parts.netloc, parts.path, parts.query)
    elif parts.scheme not in POSTGRES_SCHEMES:
        raise ValueError(allowed)
    elif (not parts.hostname and "host=" not in parts.query) or port == 0:
        raise ValueError(f"{allowed}; here the host or port is missing")
    return url


def _check_sqlite(netloc: str, path: str, query: str) -> None:
    if netloc:
        raise ValueError("sqlite:////absolute/path.db (an SQLite URL has no host: count the slashes)")
    if path in {"", "/", "/:memory:"} or "memory" in query:
        raise ValueError(
            "a file, as in sqlite:////data/tests.db (each gunicorn worker would have its own in-memory database;"
            " API_STORE=memory shows that on purpose)"
        )
    if unquote(path).endswith("/"):
        raise ValueError("sqlite:////absolute/path.db (this names a folder)")


def check_instance(name: str) -> str:
    """A name that is safe in a header: 1 to 128 of letters, digits, ``.``, ``_``, ``:`` and ``-``."""
    if not _INSTANCE.fullmatch(name):
        raise ValueError("1 to 128 letters, digits, '.', '_', ':' or '-'")
    return name


def check_bind(bind: str) -> str:
    """A comma-separated list of ``host:port``, ``[v6]:port`` or ``unix:path``."""
    for address in bind.split(","):
        if address.strip().startswith("unix:") and len(address.strip()) > len("unix:"):
            continue
        host, _, port = address.strip().rpartition(":")
        if not _HOST.fullmatch(host) or not port.isascii() or not port.isdigit() or int(port) > 65_535:
            raise ValueError("host:port, [v6 address]:port or unix:path, comma-separated, ports 0 to 65535")
    return bind


def check_folder(folder: Path | None) -> Path | None:
    """An absolute path that is not the root and not a file."""
    if folder is None:
        return None
    if not folder.is_absolute() or folder == Path(folder.anchor):
        raise ValueError("the absolute path of a folder used for nothing else")
    if folder.exists() and not folder.is_dir():
        raise ValueError("the absolute path of a folder (this is a file)")
    return folder


def hide_password(url: str) -> str:
    """``url`` with the password, wherever it stands, replaced by ``***``."""
    url = re.sub(r"(://[^:/@?#]*):.*@", r"\1:***@", url)
    return re.sub(r"(?i)((?:password|sslpassword)=)[^&]*", r"\1***", url)
