"""What sends what is rare: FastHttpUser's agent, without its hidden second attempts."""

from __future__ import annotations

from typing import Any

from locust.contrib.fasthttp import FastResponse, LocustUserAgent

# geventhttpclient tries again, unseen, as often as a pool has places for connections and once more.
NO_SECOND_ATTEMPT = -1


class SingleMindedAgent(LocustUserAgent):
    """Sends a request once."""

    def _urlopen(self, request: Any) -> FastResponse:
        client = self.clientpool.get_client(request.url_split)
        client._connection_pool.size = NO_SECOND_ATTEMPT
        response: FastResponse = super()._urlopen(request)
        return response
