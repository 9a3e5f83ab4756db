"""Laws of paging."""

from __future__ import annotations

import tempfile

from hypothesis import given, settings
from hypothesis import strategies as st

from api.store.memory import MemoryStore
from tests.api.conftest import client_call, make_app
from tests.api.instance import all_names, post_item


@settings(max_examples=25, deadline=None)
@given(names=st.lists(st.text("ab", min_size=1, max_size=3), max_size=30), limit=st.integers(1, 12))
def test_walking_the_pages_yields_every_item_once_in_order(names: list[str], limit: int) -> None:
    """Whatever the names, however many, whatever the page size."""
    with tempfile.TemporaryDirectory() as folder:
        app = make_app(DATABASE_URL=f"sqlite:///{folder}/tests.db")
        call = client_call(app)
        for name in names:
            assert post_item(call, name).status == 204
        assert all_names(call, limit) == ["unit testing", *names]
        app.extensions["store"].close()


@given(after=st.integers(0, 10), limit=st.integers(1, 10))
def test_the_memory_store_pages_like_a_slice(after: int, limit: int) -> None:
    """more is true exactly when an item follows the last one shown."""
    page = MemoryStore().page(after, limit)
    assert page.more == (after + len(page.items) < page.total)
    assert [item[0] for item in page.items] == list(range(after + 1, min(after + limit, page.total) + 1))
