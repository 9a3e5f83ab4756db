"""Users who ask all at once, at each full second: many connections at a time of a target that keeps none."""

import time

from locust import task

from loadlab.generator.http import LeanHttpUser


class BurstsUser(LeanHttpUser):
    """Lists, once a second, with all the others."""

    def wait_time(self) -> float:
        return 1 - time.time() % 1

    @task
    def list_types(self) -> None:
        self.client.get("/tests")
