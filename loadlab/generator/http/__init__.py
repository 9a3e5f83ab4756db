"""LeanHttpUser: Locust's FastHttpUser, at a fraction of its cost per request."""

from loadlab.generator.http.session import LeanHttpSession
from loadlab.generator.http.user import LeanHttpUser

__all__ = ["LeanHttpSession", "LeanHttpUser"]
