"""Users who ask again $WAIT_S after they are answered; which client asks for what is in $CLIENT and $ASKED."""

import os
from typing import Any

from locust import FastHttpUser, HttpUser, constant, task

CLIENTS: dict[str, Any] = {"fast": FastHttpUser, "http": HttpUser}
if os.environ["CLIENT"] == "lean":
    from loadlab.generator.http import LeanHttpUser

    CLIENTS["lean"] = LeanHttpUser
NEW_TYPE = {"name": "load testing", "description": "how much it takes"}
Chosen: Any = CLIENTS[os.environ["CLIENT"]]


class BusyUser(Chosen):  # type: ignore[misc]
    """Asks, with that pause."""

    wait_time = constant(float(os.environ["WAIT_S"]))

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
