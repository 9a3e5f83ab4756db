"""Nine additions to one list: a collector that is mostly written to."""

from locustfile import WebsiteUser


class WriteHeavyUser(WebsiteUser):
    # On top of the tasks of WebsiteUser, one each: 1 + 8 additions to 1 list.
    tasks = {WebsiteUser.add_type: 8}  # noqa: RUF012 - Locust's own way to write weights
