"""Who may talk to the master's web server: its own pages, under a name that is its own."""

from __future__ import annotations

import pytest

from loadlab.generator.web import is_own_name, is_own_site


@pytest.mark.parametrize(
    ("host", "name", "is_own"),
    [
        ("127.0.0.1:8089", "", True),
        ("[::1]:8089", "", True),
        ("192.0.2.7", "", True),
        ("localhost:8089", "", True),
        ("master:8089", "", True),
        ("evil.example:8089", "", False),
        ("127.0.0.1.evil.example", "", False),
        ("lab.example.com", "", False),
        ("lab.example.com:8089", "Lab.Example.com", True),
        ("evil.example", "lab.example.com", False),
    ],
)
def test_only_own_names_are_answered(host: str, name: str, is_own: bool) -> None:
    """A name with dots could be anybody's, made to stand for this address; only the one that was set is answered."""
    assert is_own_name(host, name) is is_own


@pytest.mark.parametrize(
    ("method", "origin", "is_own"),
    [
        ("GET", "http://evil.example", True),
        ("POST", None, True),
        ("POST", "http://127.0.0.1:8089", True),
        ("POST", "http://127.0.0.1:8090", False),
        ("POST", "http://evil.example", False),
        ("POST", "null", False),
        ("DELETE", "http://evil.example", False),
    ],
)
def test_pages_of_other_sites_change_nothing(method: str, origin: str | None, is_own: bool) -> None:
    """What changes something is taken from the UI's own pages and from programs, which send no Origin."""
    assert is_own_site(method, origin, "127.0.0.1:8089") is is_own
