"""Nine lists to one addition: a catalogue that is mostly read."""

from locustfile import WebsiteUser


class ReadHeavyUser(WebsiteUser):
    # On top of the tasks of WebsiteUser, one each: 1 + 8 lists to 1 addition.
    tasks = {WebsiteUser.list_types: 8}  # noqa: RUF012 - Locust's own way to write weights
