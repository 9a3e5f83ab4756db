"""A user's cookies. Which of them go with a request is worked out anew only when they have changed, or one expires."""

from __future__ import annotations

import time
from http.cookiejar import Cookie, CookieJar
from typing import Any

from geventhttpclient.header import Headers
from locust.contrib.fasthttp import FastRequest

MOST_KNOWN = 256


class Jar(CookieJar):
    """The standard library's, which takes tens of µs to find a request's cookies."""

    _cookies: dict[str, Any]

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[str, str] = {}
        self._until = 0.0

    def set_cookie(self, cookie: Cookie) -> None:
        """Set a cookie."""
        super().set_cookie(cookie)
        self._known.clear()

    def clear(self, domain: str | None = None, path: str | None = None, name: str | None = None) -> None:
        """Remove cookies."""
        super().clear(domain, path, name)
        self._known.clear()

    def header(self, url: str) -> str:
        """Return the Cookie header of a request; empty when no cookie goes with it."""
        if not self._cookies:
            return ""
        if time.time() >= self._until:
            self._known.clear()
        known = self._known.get(url)
        if known is None:
            request = FastRequest(url, headers=Headers())
            self.add_cookie_header(request)
            known = str(request.headers.get("cookie", ""))
            self._until = min((one.expires for one in self if one.expires is not None), default=float("inf"))
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[url] = known
        return known
