"""Users who ask again $WAIT_S after they are answered; which client asks for what is in $CLIENT and $ASKED.

With $SPREAD they wait for a random time, so long on average: they do not ask in step.
"""

import os
from typing import Any

from locust import FastHttpUser, HttpUser, between, constant, task

CLIENTS: dict[str, Any] = {"fast": FastHttpUser, "http": HttpUser}
if os.environ["CLIENT"] == "lean":
    from loadlab.generator.http import LeanHttpUser

    CLIENTS["lean"] = LeanHttpUser
NEW_TYPE = {"name": "load testing", "description": "how much it takes"}
WAIT_S = float(os.environ["WAIT_S"])
Chosen: Any = CLIENTS[os.environ["CLIENT"]]


class BusyUser(Chosen):  # type: ignore[misc]
    """Asks, with that pause."""

    wait_time = between(0, 2 * WAIT_S) if os.environ.get("SPREAD") else constant(WAIT_S)

    if os.environ["ASKED"] == "post":

        @task
        def add(self) -> None:
            self.client.post("/post", json=NEW_TYPE)

    elif os.environ["ASKED"] == "gzip":

        @task
        def read(self) -> None:
            self.client.get("/gzip")

    else:

        @task
        def get(self) -> None:
            self.client.get("/tests")
