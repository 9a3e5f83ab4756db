"""Users who wait a random moment before they ask again: they do not fall into step.

Users who ask at once and are answered after the same time end up in step, since one that is answered late stays late:
then each waits for the others in the server and in the worker, which is in no server's own account of its times. Nor is
the making of a connection, which FastHttpUser hides in its first request: 10 of 800 are 1.25%, and thus the p99.
"""

from locust import between, task

from loadlab.generator.http import LeanHttpUser

LONGEST_WAIT_S = 0.05


class ScatteredUser(LeanHttpUser):
    """Lists, with a short pause."""

    wait_time = between(0, LONGEST_WAIT_S)

    @task
    def list_types(self) -> None:
        self.client.get("/tests")
