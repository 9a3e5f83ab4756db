"""Users who ask ten times a second: much load of few users, the same whatever the generator can do."""

import random
import time

from locust import FastHttpUser, constant_pacing, task

EVERY_S = 0.1


class BriskUser(FastHttpUser):
    """Lists, ten times a second."""

    wait_time = constant_pacing(EVERY_S)

    def on_start(self) -> None:
        time.sleep(random.uniform(0, EVERY_S))  # else those that start together ask together for ever

    @task
    def list_types(self) -> None:
        self.client.get("/tests")
