"""What a restore has to put back and how far it is, on disk: it may be millions of objects."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..core import objects
from ..core.objects import Saved

TABLE = """
create table wanted (
  bucket text, key text, size integer, file text, line text, state text, reason text,
  primary key (bucket, key)) without rowid;
create index wanted_file on wanted (file);
"""
PAGE = 1000


class Ledger:
    """One row an object. Its state: `wanted`, `under way`, `put`, `there` (put by a restore that was
    interrupted), `verified`, `failed`, or `lost`: the snapshot has no copy of it.
    """

    def __init__(self, path: Path) -> None:
        self.db = sqlite3.connect(path)
        self.db.executescript(TABLE)

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.db.close()

    def add(self, found: Iterable[Saved]) -> None:
        rows = (
            (
                s.listed.bucket,
                s.listed.key,
                s.listed.size,
                s.file,
                objects.encode(s),
                "wanted" if s.file else "lost",
                s.unreadable,
            )
            for s in found
        )
        with self.db:
            self.db.executemany("insert or replace into wanted values (?, ?, ?, ?, ?, ?, ?)", rows)

    def knows(self, bucket: str, key: str) -> bool:
        """Whether the snapshot has such a key."""
        query = "select 1 from wanted where bucket = ? and key = ?"
        return self.db.execute(query, (bucket, key)).fetchone() is not None

    def by_file(self, file: str) -> Saved | None:
        """The object that is still wanted and has its copy in `file`."""
        query = "select line from wanted where file = ? and state = 'wanted'"
        row = self.db.execute(query, (file,)).fetchone()
        return objects.decode(row[0]) if row else None

    def mark(self, saved: Saved, state: str, reason: str = "") -> None:
        query = "update wanted set state = ?, reason = ? where bucket = ? and key = ?"
        self.db.execute(query, (state, reason, saved.listed.bucket, saved.listed.key))

    def present(self, bucket: str, key: str) -> None:
        """The store holds such an object already."""
        query = "update wanted set state = 'there' where bucket = ? and key = ? and state = 'wanted'"
        self.db.execute(query, (bucket, key))

    def having(self, state: str) -> Iterator[Saved]:
        """Every object in `state`, page by page: states may be changed meanwhile."""
        last = ("", "")
        while True:
            rows = self.db.execute(
                "select bucket, key, line from wanted where state = ? and (bucket, key) > (?, ?)"
                " order by bucket, key limit ?",
                (state, *last, PAGE),
            ).fetchall()
            if not rows:
                return
            yield from (objects.decode(row[2]) for row in rows)
            last = (rows[-1][0], rows[-1][1])

    def totals(self, state: str) -> tuple[int, int]:
        """Objects in `state`, and their bytes."""
        query = "select count(*), coalesce(sum(size), 0) from wanted where state = ?"
        count, size = self.db.execute(query, (state,)).fetchone()
        return int(count), int(size)

    def outstanding(self) -> int:
        """Objects that are neither verified nor lost: whatever happened to them, they were not restored."""
        query = "select count(*) from wanted where state not in ('verified', 'lost')"
        return int(self.db.execute(query).fetchone()[0])

    def buckets(self) -> dict[str, dict[str, int]]:
        """Bucket → its objects, their bytes, and how many of them the snapshot has no copy of."""
        query = "select bucket, count(*), sum(size), sum(state = 'lost') from wanted group by bucket"
        return {b: {"objects": n, "bytes": size, "lost": lost} for b, n, size, lost in self.db.execute(query)}

    def faults(self, limit: int) -> list[str]:
        query = (
            "select bucket, key, coalesce(nullif(reason, ''), 'was not restored') from wanted"
            " where state != 'verified' order by 1, 2 limit ?"
        )
        return [f"{b}/{objects.shown(k)}: {reason}" for b, k, reason in self.db.execute(query, (limit,))]
