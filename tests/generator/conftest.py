"""Lets these tests use Locust in pytest's own process: its import must not patch sockets and threads there."""

import os

os.environ["LOCUST_SKIP_MONKEY_PATCH"] = "1"
try:
    import locust  # noqa: F401
finally:
    del os.environ["LOCUST_SKIP_MONKEY_PATCH"]  # not for the processes that the tests start
