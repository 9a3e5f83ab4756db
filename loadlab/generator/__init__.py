"""What runs inside Locust's own processes, beside a locustfile that knows nothing of it."""
