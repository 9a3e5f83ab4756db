"""Users of ten endpoints, ten times a second: for the size of what is recorded."""

import random
import time

from locust import FastHttpUser, constant_pacing, task

EVERY_S = 0.1


class TenEndpointsUser(FastHttpUser):
    """Asks one endpoint after another."""

    wait_time = constant_pacing(EVERY_S)
    number = 0

    def on_start(self) -> None:
        time.sleep(random.uniform(0, EVERY_S))  # else those that start together ask together for ever

    @task
    def next_endpoint(self) -> None:
        self.number += 1
        self.client.get(f"/endpoint/{self.number % 10}")
