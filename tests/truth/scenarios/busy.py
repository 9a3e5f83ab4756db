"""Users who ask again as soon as they are answered."""

import random
import time

from locust import constant, task

from loadlab.generator.http import LeanHttpUser


class BusyUser(LeanHttpUser):
    """Lists and adds, without a pause."""

    wait_time = constant(0)

    def on_start(self) -> None:
        # Else those that start together are answered together, and wait for each other in their worker, for ever.
        time.sleep(random.uniform(0, 0.5))

    @task(3)
    def list_types(self) -> None:
        self.client.get("/tests")

    @task(1)
    def add_type(self) -> None:
        self.client.post("/tests", json={"name": "load testing", "description": "how much it takes"})
