"""The user whose requests cost little."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from http.cookiejar import CookieJar
from typing import Any

import gevent.ssl
from geventhttpclient.connectionpool import SSLConnectionPool, init_ssl_context
from locust.contrib.fasthttp import FastHttpUser, LocustUserAgent
from locust.env import Environment
from locust.exception import StopTest
from locust.user import User
from locust.user.task import DefaultTaskSet

from loadlab.generator.http.agent import SingleMindedAgent
from loadlab.generator.http.connection import Limits, Proxy
from loadlab.generator.http.pool import Habits
from loadlab.generator.http.session import LeanHttpSession
from loadlab.generator.http.tasks import Tasks

TRUSTED = SSLConnectionPool.default_options["ca_certs"]
_contexts: dict[bool, ssl.SSLContext] = {}


class LeanHttpUser(FastHttpUser):
    """FastHttpUser with another client: a locustfile changes its import.

    Beside FastHttpUser's own settings, of which `client_pool` and `max_retries` make it go FastHttpUser's way:
    """

    most_requests_per_connection: int | None = None
    """How many requests a connection carries, to spread users over replicas; 1 makes one for each. None: no limit."""

    answer_timeout: float = 600.0
    """Seconds for a whole answer. `network_timeout` is for each wait for more of it."""

    most_header_bytes: int = 256 * 1024
    """A longer head of an answer is a failure."""

    most_body_bytes: int = 256 * 1024 * 1024
    """A longer body of an answer, before or after its encoding is undone, is a failure."""

    abstract = True

    lab_is_killed = False  # see mends.start_nothing_once_killed
    _tasks: Any = None

    @property
    def _taskset_instance(self) -> Any:
        """What Locust has for the user's tasks: User.run makes one of its own, in place of which ours is used."""
        return self._tasks

    @_taskset_instance.setter
    def _taskset_instance(self, given: Any) -> None:
        self._tasks = Tasks(self) if type(given) is DefaultTaskSet else given

    def __init__(self, environment: Environment) -> None:
        """Make a user and its session.

        Raises:
            StopTest: no host was given.
        """
        User.__init__(self, environment)
        if self.host is None:
            raise StopTest(
                "You must specify the base host. Either in the host attribute in the User class, or on the command "
                "line using the --host option."
            )
        self.client = LeanHttpSession(
            self.host,
            environment.events.request,
            self,
            habits=self._habits(),
            max_redirects=self.max_redirects,
            default_headers=self.default_headers,
            context=self._context_factory(),
            is_short=self.client_pool is None and not self.max_retries,
            agent=self._agent,
        )

    def _habits(self) -> Habits:
        limits = Limits(
            connect_s=self.connection_timeout,
            read_s=self.network_timeout,
            total_s=self.answer_timeout,
            head_bytes=self.most_header_bytes,
            body_bytes=self.most_body_bytes,
        )
        proxy = Proxy(self.proxy_host, self.proxy_port or 80) if self.proxy_host else None
        return Habits(limits, self.concurrency, self.most_requests_per_connection, proxy)

    def _context_factory(self) -> Callable[[], ssl.SSLContext]:
        insecure, make = self.insecure, self.ssl_context_factory
        if make is None:
            return lambda: _shared_context(insecure)
        return lambda: init_ssl_context(make, TRUSTED, check_hostname=not insecure)  # as FastHttpUser finishes it

    def _agent(self, jar: CookieJar) -> LocustUserAgent:
        return SingleMindedAgent(
            cookiejar=jar,
            ssl_context_factory=self._context_factory(),
            insecure=self.insecure,
            client_pool=self.client_pool,
            network_timeout=self.network_timeout,
            connection_timeout=self.connection_timeout,
            max_redirects=self.max_redirects,
            max_retries=self.max_retries,
            concurrency=self.concurrency,
            headers=self.default_headers,
            proxy_host=self.proxy_host,
            proxy_port=self.proxy_port,
        )


def _shared_context(insecure: bool) -> ssl.SSLContext:
    """Return a context for all users: making one takes tens of ms."""
    if insecure not in _contexts:
        _contexts[insecure] = (
            gevent.ssl._create_unverified_context() if insecure else gevent.ssl.create_default_context()
        )
    return _contexts[insecure]
