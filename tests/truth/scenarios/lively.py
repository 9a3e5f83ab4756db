"""Users who wait a tenth of a second on average, and tell where the time of their requests goes.

The waits are random, for the reason that brisk.py gives.
"""

import random

from locust import task

from loadlab.generator.http import LeanHttpUser

MEAN_WAIT_S = 0.1


class LivelyUser(LeanHttpUser):
    """Lists, and now and then adds, some ten times a second."""

    def wait_time(self) -> float:
        return random.expovariate(1 / MEAN_WAIT_S)

    @task(9)
    def list_types(self) -> None:
        self.client.get("/tests")

    @task(1)
    def add_type(self) -> None:
        self.client.post("/tests", json={"name": "load testing", "description": "how much it takes"})
