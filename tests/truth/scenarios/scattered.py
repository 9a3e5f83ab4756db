"""Users who wait a random moment before they ask again: they do not fall into step.

Users who ask at once and are answered after the same time end up in step, since one that is answered late stays late:
then each waits for the others in the server and in the worker, which is in no server's own account of its times.
"""

from locust import FastHttpUser, between, task

LONGEST_WAIT_S = 0.05


class ScatteredUser(FastHttpUser):
    """Lists, with a short pause."""

    wait_time = between(0, LONGEST_WAIT_S)

    @task
    def list_types(self) -> None:
        self.client.get("/tests")
