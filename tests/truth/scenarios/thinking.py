"""Users who think for a second on average, at random, between an answer and the next request."""

import random

from locust import task

from loadlab.generator.http import LeanHttpUser

MEAN_THINK_S = 1.0


class ThinkingUser(LeanHttpUser):
    """Lists, and thinks."""

    def wait_time(self) -> float:
        return random.expovariate(1 / MEAN_THINK_S)

    @task
    def list_types(self) -> None:
        self.client.get("/tests")
