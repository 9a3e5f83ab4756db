"""Users who ask once a second: the load is known, whatever the target does within that second."""

import random
import time

from locust import FastHttpUser, constant_pacing, task

EVERY_S = 1.0


class PacedUser(FastHttpUser):
    """Lists, once a second."""

    wait_time = constant_pacing(EVERY_S)

    def on_start(self) -> None:
        time.sleep(random.uniform(0, EVERY_S))  # else those that start together ask together for ever

    @task
    def list_types(self) -> None:
        self.client.get("/tests")
