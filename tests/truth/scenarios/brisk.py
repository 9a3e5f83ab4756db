"""Users who wait a tenth of a second on average: much load of few users.

The waits are random. Users who ask at a fixed pace are in step from the first hitch on, which makes them all late: 80
that ask at once keep a worker busy for tens of ms, however little it has to do on average.
"""

import random

from locust import FastHttpUser, task

MEAN_WAIT_S = 0.1


class BriskUser(FastHttpUser):
    """Lists, some ten times a second."""

    def wait_time(self) -> float:
        return random.expovariate(1 / MEAN_WAIT_S)

    @task
    def list_types(self) -> None:
        self.client.get("/tests")
