"""The lab's scenario: every user lists the types of software testing or adds one, then waits a second.

Edit this file, restart the rig, run again: it is mounted into the containers, nothing is rebuilt.
Each answer is checked, status and body, so that a wrong answer under load is a failure with a reason.
"""

from locust import constant, task

from loadlab.generator.http import LeanHttpUser

FIRST_TYPE = {"name": "unit testing", "description": "testing individual units of source code"}
NEW_TYPE = {"name": "load testing", "description": "checking if a software can handle the expected load"}


class WebsiteUser(LeanHttpUser):
    """One simulated client with two equally weighted tasks."""

    wait_time = constant(1)  # s, between two tasks

    @task
    def list_types(self) -> None:
        with self.client.get("/tests", catch_response=True) as response:
            if not response.status_code:
                return  # no answer came: the failure is then why, such as "connection refused"
            if response.status_code != 200:
                response.failure(f"status {response.status_code}, expected 200")
                return
            try:
                types = response.json()
            except ValueError:
                response.failure("body is not JSON")
                return
            if not isinstance(types, list) or types[:1] != [FIRST_TYPE]:
                response.failure("body is not the list of types that begins with unit testing")

    @task
    def add_type(self) -> None:
        with self.client.post("/tests", json=NEW_TYPE, catch_response=True) as response:
            if not response.status_code:
                return  # no answer came: the failure is then why, such as "connection refused"
            if response.status_code != 204:
                response.failure(f"status {response.status_code}, expected 204")
            elif response.content:
                response.failure("a 204 answer has a body")
