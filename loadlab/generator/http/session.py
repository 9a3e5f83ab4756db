"""Sends the requests of one user: FastHttpUser's session, with a short way for what is asked again and again."""

from __future__ import annotations

import json as json_
import ssl
import time
from collections.abc import Callable, Mapping
from http.cookiejar import CookieJar
from typing import Any, ClassVar
from urllib.parse import unquote

import gevent.ssl
from gevent import GreenletExit, Timeout
from geventhttpclient.client import IDEMPOTENT_METHODS
from geventhttpclient.header import Headers
from geventhttpclient.response import HTTPParseError
from geventhttpclient.url import URL
from geventhttpclient.useragent import REDIRECT_RESPONSE_CODES, RetriesExceeded
from locust.contrib.fasthttp import (
    FAILURE_EXCEPTIONS,
    FastHttpSession,
    FastRequest,
    LocustBadStatusCode,
    LocustUserAgent,
    _construct_basic_auth_str,
)
from locust.event import EventHook
from locust.user import User

from loadlab.generator.flow import Flow
from loadlab.generator.http import content, payload
from loadlab.generator.http.answer import Answer
from loadlab.generator.http.connection import Connection, StaleError
from loadlab.generator.http.jar import Jar
from loadlab.generator.http.message import MOST_KNOWN, Origin, Written, merged, origin_of, write
from loadlab.generator.http.pool import Habits, Pool
from loadlab.generator.http.response import LeanResponse, NoResponse

VALID = LocustUserAgent.valid_response_codes
TO_GET = frozenset({301, 302, 303})
CONNECTING = ("connect_s", "connects", "reconnects")
JSON_HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}
BASE_HEADERS = {"User-Agent": "loadlab", "Accept-Encoding": content.ACCEPTED}
clock = time.perf_counter

Known = dict[tuple[Any, ...], Written]
_known: dict[tuple[Any, ...], Known] = {}  # shared by the users that ask the same in the same way


class LeanHttpSession(FastHttpSession):
    """Takes what FastHttpSession takes and tells what it tells.

    What is rare goes its way: `stream`, a `client_pool` of the user's own, retries that were asked for. `flow` counts
    the requests that are on their way, one for all sessions of the process.
    """

    flow = Flow()
    listeners: ClassVar[list[Callable[..., None]]] = []  # the recorder's, which takes what it needs by position
    cookiejar: Jar
    _auth_header: str | None = None

    def __init__(
        self,
        base_url: str,
        request_event: EventHook,
        user: User | None,
        *,
        habits: Habits | None = None,
        max_redirects: int = 30,
        default_headers: Mapping[str, str] | None = None,
        context: Callable[[], ssl.SSLContext] = gevent.ssl._create_unverified_context,
        is_short: bool = True,
        agent: Callable[[CookieJar], LocustUserAgent] = lambda jar: LocustUserAgent(cookiejar=jar),
    ) -> None:
        """Make the session of a user; `agent` makes what sends what is rare, or everything when not `is_short`."""
        url = URL(base_url)
        if url.username and url.password:
            self._auth_header = _construct_basic_auth_str(*_credentials(url))
            base_url = base_url.replace(f"//{url.netloc.rpartition('@')[0]}@", "//", 1)
        self._base_url = base_url
        self.request_event = request_event
        self.user = user
        self.cookiejar = Jar()
        self.request_name: str | None = None
        self._habits = habits or Habits()
        self._max_redirects = max_redirects
        self._defaults = merged(BASE_HEADERS, default_headers)
        _drop_framing(self._defaults)
        self._make_context = context
        self._context: ssl.SSLContext | None = None
        self._is_short = is_short
        self._make_agent = agent
        self._agent: LocustUserAgent | None = None
        self._pools: dict[Origin, Pool] = {}
        # A user that adds nothing to the context has none made for each request.
        self._adds_context = user is not None and type(user).context is not User.context
        self._choose_known()

    def _choose_known(self) -> None:
        same = (self._base_url, self._auth_header, tuple(self._defaults.items()), self._habits.proxy is not None)
        self._known = _known.setdefault(same, {})

    @property
    def base_url(self) -> str:
        """What is put before a path."""
        return self._base_url

    @base_url.setter
    def base_url(self, base_url: str) -> None:
        self._base_url = base_url
        self._choose_known()

    @property
    def auth_header(self) -> str | None:
        """The Authorization header of requests without `auth`."""
        return self._auth_header

    @auth_header.setter
    def auth_header(self, auth_header: str | None) -> None:
        self._auth_header = auth_header
        self._choose_known()

    @property
    def client(self) -> LocustUserAgent:  # type: ignore[override]
        """Return what sends what is rare."""
        if self._agent is None:
            self._agent = self._make_agent(self.cookiejar)
        return self._agent

    def close(self) -> None:
        """Close the connections that are idle."""
        for pool in self._pools.values():
            pool.close()

    def request(  # noqa: PLR0917 - FastHttpSession's own
        self,
        method: str,
        url: str,
        name: str | None = None,
        data: Any = None,
        catch_response: bool = False,
        stream: bool = False,
        headers: Mapping[str, Any] | None = None,
        auth: tuple[str | bytes, str | bytes] | None = None,
        json: Any = None,
        allow_redirects: bool = True,
        context: Mapping[str, Any] | None = None,
        *,
        params: Any = None,
        files: Any = None,
        max_redirects: int | None = None,
        **rare: Any,
    ) -> Any:
        """Send a request, see FastHttpSession.request; return a LeanResponse, or an ErrorResponse where none came.

        Raises:
            ValueError: a header, the method or the URL is none, or would write a request of its own.
        """
        if stream or rare or not self._is_short:
            rare |= {"params": params, "files": files, "max_redirects": max_redirects}
            return self._ask_agent(
                method,
                url,
                name,
                data,
                catch_response,
                stream,
                headers,
                auth,
                json,
                allow_redirects,
                context or {},
                **rare,
            )
        if getattr(self.user, "lab_is_killed", False):  # see mends.start_nothing_once_killed
            raise GreenletExit
        written, sent = self._prepare(method, url, data, headers, auth, json, params, files)
        most = self._max_redirects if max_redirects is None else max_redirects
        response = self._ask(written, sent, most if allow_redirects else None)
        time_ms = (response.ended - response.began - response.connect_s) * 1000
        event, called = self.request_event, name or self.request_name or url
        length = len(response.content or b"")
        if not catch_response and event._handlers == self.listeners:
            # Nobody else listens: what they would be told need not be written down first.
            for listener in self.listeners:
                listener(method, called, time_ms, length, response.error, response)
            return response
        meta = {
            "request_type": method,
            "name": called,
            "context": self._contexts(context) if context or self._adds_context else {},
            "response": response,
            "exception": response.error,
            "start_time": time.time() - (clock() - response.began),
            "url": written.url,
            "response_length": length,
            "response_time": time_ms,
        }
        if catch_response:
            response._catch_response, response._request_event, response.request_meta = True, event, meta
        else:
            event.fire(**meta)
        return response

    # --- What is sent --------------------------------------------------------------------------------------------

    def _prepare(  # noqa: PLR0917
        self, method: str, url: str, data: Any, headers: Any, auth: Any, json: Any, params: Any, files: Any
    ) -> tuple[Written, bytes]:
        """Return a request, as far as it is known, and its bytes."""
        if headers or auth or data or params is not None or files:
            return self._write(method, url, data, headers, auth, json, params, files)
        if json is None:
            written = self._known.get((method, url)) or self._learn(method, url)
            return written, written.with_cookies(self._cookies(written)) if self.cookiejar._cookies else written.whole
        written = self._known.get((method, url, True)) or self._learn(method, url, JSON_HEADERS)
        return written, written.with_body(json_.dumps(json).encode(), self._cookies(written))

    def _learn(self, method: str, url: str, headers: Mapping[str, str] | None = None) -> Written:
        """Write a request that is the same each time, and know it from now on."""
        built = self._build_url(url)
        authorization = {"Authorization": self.auth_header} if self.auth_header else None
        written = self._write_head(method, URL(built), merged(self._defaults, authorization, headers), built)
        if len(self._known) < MOST_KNOWN:
            self._known[(method, url, True) if headers else (method, url)] = written
        return written

    def _write(  # noqa: PLR0917
        self, method: str, url: str, data: Any, headers: Any, auth: Any, json: Any, params: Any, files: Any
    ) -> tuple[Written, bytes]:
        """Write a request with something of its own."""
        built = self._build_url(url)
        given = merged(headers)
        if auth:
            given["Authorization"] = _construct_basic_auth_str(*auth)
        elif self.auth_header:
            given["Authorization"] = self.auth_header
        body: Any = b""
        if not data and json is not None and not files:
            body = json_.dumps(json).encode()
            given = merged(JSON_HEADERS, given)
        elif data or files:
            body, kind, is_fixed = payload.encode(data, files)
            if is_fixed or "content-type" not in merged(self._defaults, given):
                given["Content-Type"] = kind
        is_chunked = not isinstance(body, bytes) or "chunked" in str(given.get("transfer-encoding", "")).lower()
        _drop_framing(given)
        written = self._write_head(method, URL(built, params=params), merged(self._defaults, given), built)
        cookies = self._cookies(written)
        if is_chunked:
            return written, written.chunked(payload.chunks(body) if isinstance(body, bytes) else body, cookies)
        return written, written.with_body(body, cookies) if body else written.with_cookies(cookies)

    def _write_head(self, method: str, url: URL, headers: Headers, asked: str) -> Written:
        return write(method, url, headers, asked=asked, through_proxy=self._habits.proxy is not None)

    def _cookies(self, written: Written) -> str:
        """Return the cookies of a request: none where the user gave a header of its own."""
        return "" if written.has_cookies else self.cookiejar.header(written.url)

    def _contexts(self, context: Mapping[str, Any] | None) -> dict[str, Any]:
        return {**(self.user.context() if self.user else {}), **(context or {})}

    # --- What comes back -----------------------------------------------------------------------------------------

    def _ask(self, written: Written, sent: bytes, most_redirects: int | None) -> LeanResponse:
        """Send a request and return its response; where none came, the one that says why. None: follow no redirect."""
        response = LeanResponse()
        response.url = written.url
        response._asked = (written.method, sent)
        flow = self.flow
        flow.started += 1
        began = response.began = clock()
        flow.starts_s += began
        try:
            self._exchange(written.method, written.origin, sent, response)
            if response.status_code in REDIRECT_RESPONSE_CODES and most_redirects is not None:
                response = self._follow(response, most_redirects)
            if response.status_code not in VALID:
                response.error = LocustBadStatusCode(response.url, code=response.status_code)
        except FAILURE_EXCEPTIONS as failure:
            response.ended = clock()
            response = _without_answer(failure, response)
        except BaseException:
            flow.kill(began)
            raise
        flow.answered += 1
        flow.ends_s += response.ended
        return response

    def _exchange(self, method: str, origin: Origin, sent: bytes, response: LeanResponse) -> None:
        """Send the bytes of a request and fill in the response.

        Raises:
            FAILURE_EXCEPTIONS: no answer came, or none that is one.
        """
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pools[origin] = Pool(origin, self._habits, self._tls)
        connection = pool.take(response)
        try:
            answer = connection.exchange(sent, method == "HEAD")
        except StaleError as stale:
            connection, answer = self._once_more(stale, pool, connection, method, sent, response)
        except BaseException:
            pool.drop(connection)
            raise
        response.status_code = answer.status
        response.head = head = answer.head
        response.sent = connection.sent
        response.first_byte = connection.first_byte
        response.ended = connection.ended
        response.content = answer.body
        pool.give_back(connection)
        if head.sets_cookies:
            asked = FastRequest(response.url or "", headers=Headers())
            self.cookiejar.extract_cookies(response, asked)  # type: ignore[arg-type] # it has what is asked for
        if head.is_encoded:
            response.decode(self._habits.limits.body_bytes)

    def _once_more(  # noqa: PLR0917
        self, stale: StaleError, pool: Pool, closed: Connection, method: str, sent: bytes, response: LeanResponse
    ) -> tuple[Connection, Answer]:
        """Send a request again whose connection was closed before the answer began, where that does no harm."""
        pool.drop(closed)
        if method not in IDEMPOTENT_METHODS:
            raise stale.cause from None
        response.reconnects += 1
        connection = pool.make(response)
        try:
            return connection, connection.exchange(sent, method == "HEAD")  # never stale: it is the first on it
        except BaseException:
            pool.drop(connection)
            raise

    def _follow(self, first: LeanResponse, most: int) -> LeanResponse:
        """Go where redirects lead; the time of them all is the request's."""
        response, past = first, [first]
        while most > 0 and response.status_code in REDIRECT_RESPONSE_CODES:
            location = response.headers.get("location")
            if not location or not isinstance(location, str):  # two of them lead nowhere
                break
            if len(past) > most:
                raise RetriesExceeded(first.url, f"Redirection limit reached ({most})")
            try:
                to, method, sent = self._redirected(response, location)
            except ValueError as error:
                raise HTTPParseError(f"redirected to {location!r}: {error}") from None
            response = LeanResponse()
            response.url, response._asked, response._past = str(to), (method, sent), tuple(past)
            for name in ("began", *CONNECTING):
                setattr(response, name, getattr(past[-1], name))
            try:
                self._exchange(method, origin_of(to), sent, response)
            except FAILURE_EXCEPTIONS:
                for name in CONNECTING:  # what is told of the failure is told of the first
                    setattr(first, name, getattr(response, name))
                raise
            past.append(response)
        return response

    def _redirected(self, response: LeanResponse, location: str) -> tuple[URL, str, bytes]:
        """Return where a redirect leads, and the request that it asks for."""
        request = response.request
        body = response._asked[1].partition(b"\r\n\r\n")[2]
        status = response.status_code
        origin = origin_of(request.url_split)
        request.redirect(status, location)
        to = request.url_split
        if origin_of(to) != origin:
            request.headers.discard("host")
        if status in TO_GET:
            _drop_framing(request.headers)
        written = self._write_head(request.method, to, request.headers, str(to))
        cookies = self._cookies(written)
        if status in TO_GET:
            return to, request.method, written.with_cookies(cookies)
        return to, request.method, written.framed(body, cookies)

    def _tls(self) -> ssl.SSLContext:
        """Return how TLS is spoken."""
        if self._context is None:
            self._context = self._make_context()
        return self._context

    # --- The long way --------------------------------------------------------------------------------------------

    def _ask_agent(self, *arguments: Any, **options: Any) -> Any:
        """Send a request as FastHttpSession does, but only once. It is counted there, see Flow.watch."""
        given = {name: value for name, value in options.items() if value is not None}
        return FastHttpSession.request(self, *arguments, **given)


def _without_answer(failure: BaseException, asked: LeanResponse) -> LeanResponse:
    """Return the response to a request that got none, with a failure as FastHttpUser tells of it."""
    if isinstance(failure, (TimeoutError, Timeout, BrokenPipeError)):
        failure = RetriesExceeded(asked.url, 0, original=failure)
    response = NoResponse()
    response.error = failure
    for name in ("url", "_asked", "began", "connect_s", "connects", "ended", "reconnects"):
        setattr(response, name, getattr(asked, name))
    return response


def _drop_framing(headers: Headers) -> None:
    """Leave out what tells where a body ends: that is written with the body, as it is."""
    for name in ("content-length", "transfer-encoding"):
        headers.discard(name)


def _credentials(url: URL) -> tuple[str, str]:
    return unquote(url.username), unquote(url.password)
