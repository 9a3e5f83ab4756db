"""Users of the two kinds, each with what Locust was told of its requests."""

from __future__ import annotations

from typing import Any

from locust.contrib.fasthttp import FastHttpUser
from locust.env import Environment

from loadlab.generator.http import LeanHttpUser

PATIENCE_S = 5.0  # where a test hangs, it is not to hang for the default minute
SEEN_AGAIN_S = 0.012  # a connection that was idle for longer is looked at before it is used

PATIENT = {"network_timeout": PATIENCE_S, "connection_timeout": PATIENCE_S}


class Someone:
    """One user of a kind and with the settings that are given, and the arguments of each `request` event."""

    def __init__(self, host: str, kind: type[FastHttpUser] = LeanHttpUser, **settings: Any) -> None:
        self.told: list[dict[str, Any]] = []
        environment = Environment()
        environment.events.request.add_listener(self._note)
        self.user: Any = type("Someone", (kind,), {"host": host, **PATIENT, **settings})(environment)
        self.client: Any = self.user.client

    def _note(self, **told: Any) -> None:
        self.told.append(told)

    @property
    def last(self) -> dict[str, Any]:
        """Return what was told last."""
        return self.told[-1]

    def the_one(self) -> dict[str, Any]:
        """Return what was told, of exactly one request."""
        (told,) = self.told
        return told

    def leave(self) -> None:
        """Close the connections."""
        if isinstance(self.user, LeanHttpUser):
            self.client.close()
        else:
            self.client.client.close()
