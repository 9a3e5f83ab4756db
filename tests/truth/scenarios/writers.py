"""Users who add one item after another."""

from locust import constant, task

from loadlab.generator.http import LeanHttpUser


class WritersUser(LeanHttpUser):
    """Adds, without a pause."""

    wait_time = constant(0)

    @task
    def add_type(self) -> None:
        self.client.post("/tests", json={"name": "load testing", "description": "how much it takes"})
