"""The two tables, and the few statements over them: the same for SQLite and PostgreSQL."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    func,
    insert,
    select,
    true,
    update,
)

from api.schemas import DESCRIPTION_MAX_CHARS, NAME_MAX_CHARS
from api.store.base import SEED_DESCRIPTION, SEED_NAME

metadata = MetaData()
# SQLite fills a key by itself only when it is declared INTEGER.
_BIG = BigInteger().with_variant(Integer, "sqlite")

items = Table(
    "items",
    metadata,
    Column("id", _BIG, primary_key=True),
    Column("name", String(NAME_MAX_CHARS), nullable=False),
    Column("description", String(DESCRIPTION_MAX_CHARS), nullable=False),
)
# COUNT(*) reads every row on both databases: 10^6 items would make each GET slow. So the count is kept in the same
# transaction as the items. It is spread over rows, because on PostgreSQL a single row would make writers queue.
item_count = Table(
    "item_count",
    metadata,
    Column("shard", Integer, primary_key=True, autoincrement=False),
    Column("n", BigInteger, nullable=False),
)

INSERT = insert(items).values(name=bindparam("name"), description=bindparam("description")).returning(items.c.id)
COUNT = update(item_count).where(item_count.c.shard == bindparam("at_shard")).values(n=item_count.c.n + bindparam("by"))
GET = select(items.c.name, items.c.description).where(items.c.id == bindparam("id"))
PING = select(item_count.c.n).limit(1)

_total = select(func.sum(item_count.c.n).label("total")).subquery()
_stretch = (
    select(items).where(items.c.id > bindparam("after")).order_by(items.c.id).limit(bindparam("limit")).subquery()
)
# One statement sees one moment: the total and the items can never disagree. The outer join keeps the total when no
# item follows.
PAGE = (
    select(_stretch.c.id, _stretch.c.name, _stretch.c.description, _total.c.total)
    .select_from(_total.outerjoin(_stretch, true()))
    .order_by(_stretch.c.id)
)


def create(connection: Connection, shards: int) -> None:
    """Make what is missing and seed a fresh store. The caller holds the lock that makes this happen once."""
    metadata.create_all(connection)
    if connection.execute(PING).first() is not None:
        return
    present = connection.execute(select(func.count()).select_from(items)).scalar_one()
    if present == 0:
        connection.execute(INSERT, {"name": SEED_NAME, "description": SEED_DESCRIPTION})
        present = 1
    rows = [{"shard": shard, "n": present if shard == 0 else 0} for shard in range(shards)]
    connection.execute(insert(item_count), rows)
