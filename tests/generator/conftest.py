"""Lets these tests use Locust in pytest's own process: its import must not patch sockets and threads there."""

import atexit
import os
import shutil
import tempfile

# Masters that these tests start leave their runs here, not in the checkout.
os.environ["RESULTS_DIR"] = tempfile.mkdtemp(prefix="loadlab-results-")
atexit.register(shutil.rmtree, os.environ["RESULTS_DIR"], ignore_errors=True)

os.environ["LOCUST_SKIP_MONKEY_PATCH"] = "1"
try:
    import locust  # noqa: F401
finally:
    del os.environ["LOCUST_SKIP_MONKEY_PATCH"]  # not for the processes that the tests start
