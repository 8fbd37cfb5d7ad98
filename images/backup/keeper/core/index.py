"""The run's working memory on disk: what the store listed, and which copies staging holds.

In SQLite, so that a store of any size needs no memory, and so that a run that is killed leaves it whole.
"""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from .objects import Listed, Saved

TABLES = """
create table if not exists copies (
  file text primary key, bucket text, key text, size integer, etag text, modified text, sha256 text,
  headers text);
create index if not exists copies_key on copies (bucket, key);
create table if not exists listed (
  bucket text, key text, size integer, etag text, modified text, file text, unreadable text, kept text,
  primary key (bucket, key)) without rowid;
create index if not exists listed_file on listed (file);
create index if not exists listed_kept on listed (kept);
"""


class Index:
    """`listed` is this run's, `copies` stays from run to run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._open()
        except sqlite3.DatabaseError:
            # Damaged by a power failure, say: without it everything is fetched again, and nothing is lost.
            for left in path.parent.glob(f"{path.name}*"):
                left.unlink()
            self._open()

    def _open(self) -> None:
        self.db = sqlite3.connect(self.path)
        self.db.execute("pragma journal_mode = wal")
        self.db.execute("pragma synchronous = normal")
        self.db.executescript(TABLES)

    def close(self) -> None:
        self.db.close()

    def begin(self) -> None:
        """Forget the listing of the run before."""
        with self.db:
            self.db.execute("delete from listed")

    def add(self, entries: Iterable[Listed]) -> None:
        """A page of the listing. A key that comes twice, being written meanwhile, counts as it came last."""
        rows = [(e.bucket, e.key, e.size, e.etag, e.modified, e.file) for e in entries]
        with self.db:
            self.db.executemany("insert or replace into listed values (?, ?, ?, ?, ?, ?, null, null)", rows)

    def missing(self) -> Iterator[Listed]:
        """What is listed and has no copy, page by page: rows may be written meanwhile."""
        last = ("", "")
        while True:
            rows = self.db.execute(
                "select l.bucket, l.key, l.size, l.etag, l.modified from listed l left join copies c"
                " on c.file = l.file where c.file is null and (l.bucket, l.key) > (?, ?)"
                " order by l.bucket, l.key limit 1000",
                last,
            ).fetchall()
            if not rows:
                return
            yield from (Listed(*row) for row in rows)
            last = (rows[-1][0], rows[-1][1])

    def missing_bytes(self) -> int:
        query = (
            "select total(l.size) from listed l left join copies c on c.file = l.file where c.file is null"
        )
        return int(self.db.execute(query).fetchone()[0])

    def missing_totals(self) -> tuple[int, int]:
        """How many objects are to be fetched, and their bytes."""
        query = "select count(*) from listed l left join copies c on c.file = l.file where c.file is null"
        return int(self.db.execute(query).fetchone()[0]), self.missing_bytes()

    def copies(self) -> Iterator[tuple[str, int]]:
        """Each copy's file and its size, page by page."""
        last = ""
        while True:
            rows = self.db.execute(
                "select file, size from copies where file > ? order by file limit 1000", (last,)
            ).fetchall()
            if not rows:
                return
            yield from rows
            last = rows[-1][0]

    def offered(self, path: Path) -> Iterator[tuple[str, Callable[[], None]]]:
        """Of what is missing, the copies that another index has: each file, and how to know it as ours."""
        other = sqlite3.connect(path)
        try:
            for listed in self.missing():
                row = other.execute("select * from copies where file = ?", (listed.file,)).fetchone()
                if row:
                    yield listed.file, partial(self._take, row)
        except sqlite3.DatabaseError:  # Damaged: the other job makes a new one, and here all is fetched.
            return
        finally:
            other.close()

    def _take(self, row: tuple[Any, ...]) -> None:
        with self.db:
            self.db.execute("insert or replace into copies values (?, ?, ?, ?, ?, ?, ?, ?)", row)

    def record(self, listed: Listed, sha256: str, headers: Mapping[str, Any]) -> None:
        """What is about to be known as the copy of `listed`; before its file has its name."""
        row = (listed.file, listed.bucket, listed.key, listed.size, listed.etag, listed.modified, sha256)
        with self.db:
            self.db.execute(
                "insert or replace into copies values (?, ?, ?, ?, ?, ?, ?, ?)", (*row, json.dumps(headers))
            )
            # It may have been written anew after it was listed.
            self.db.execute(
                "update listed set size = ?, etag = ?, modified = ?, file = ? where bucket = ? and key = ?",
                (listed.size, listed.etag, listed.modified, listed.file, listed.bucket, listed.key),
            )

    def drop(self, listed: Listed) -> None:
        """It was deleted after it was listed."""
        with self.db:
            self.db.execute("delete from listed where bucket = ? and key = ?", (listed.bucket, listed.key))

    def unreadable(self, listed: Listed, reason: str) -> None:
        """It cannot be read: its newest earlier copy, if there is one, is kept."""
        with self.db:
            self.db.execute(
                "update listed set unreadable = ?, kept = (select file from copies c"
                " where c.bucket = listed.bucket and c.key = listed.key order by modified desc limit 1)"
                " where bucket = ? and key = ?",
                (reason, listed.bucket, listed.key),
            )

    def forget(self, file: str) -> None:
        with self.db:
            self.db.execute("delete from copies where file = ?", (file,))

    def wanted(self, file: str) -> bool:
        """Whether this run's snapshot needs the file."""
        query = "select 1 from listed where (file = ?1 and unreadable is null) or kept = ?1 limit 1"
        return self.db.execute(query, (file,)).fetchone() is not None

    def known(self, file: str) -> bool:
        """Whether a key that is still listed has it as a copy, of whatever content."""
        query = (
            "select 1 from copies c join listed l on l.bucket = c.bucket and l.key = c.key where c.file = ?"
        )
        return self.db.execute(query, (file,)).fetchone() is not None

    def size_of(self, file: str) -> int | None:
        """Bytes that the file must have; None for one without a record."""
        row = self.db.execute("select size from copies where file = ?", (file,)).fetchone()
        return int(row[0]) if row else None

    def digest(self, file: str) -> str:
        """SHA-256 of a copy."""
        return str(self.db.execute("select sha256 from copies where file = ?", (file,)).fetchone()[0])

    def sample(self, count: int) -> list[tuple[str, int]]:
        """Some copies and their sizes, others each time: names are digests, and so are in no order."""
        query = "select file, size from copies where file > ? order by file limit ?"
        start = f"objects/{random.randrange(256):02x}"
        rows = (
            self.db.execute(query, (start, count)).fetchall()
            or self.db.execute(query, ("", count)).fetchall()
        )
        return [(file, size) for file, size in rows]

    def files(self) -> int:
        """How many files the snapshot must hold."""
        query = "select count(*) from listed where unreadable is null or kept is not null"
        return int(self.db.execute(query).fetchone()[0])

    def saved(self) -> Iterator[Saved]:
        """The manifest's entries, by bucket and key."""
        rows = self.db.execute(
            "select l.bucket, l.key, l.size, l.etag, l.modified, c.file, c.sha256, c.headers, l.unreadable"
            " from listed l left join copies c"
            " on c.file = case when l.unreadable is null then l.file else l.kept end order by l.bucket, l.key"
        )
        for row in rows:
            headers = json.loads(row[7]) if row[7] else {}
            yield Saved(Listed(*row[:5]), row[5], row[6], headers, row[8])

    def totals(self) -> dict[str, dict[str, int]]:
        """Bucket → objects and bytes that were listed, and objects that could not be read."""
        rows = self.db.execute(
            "select bucket, count(*), sum(size), count(unreadable) from listed group by bucket"
        )
        return {row[0]: {"objects": row[1], "bytes": row[2], "unreadable": row[3]} for row in rows}

    def failures(self, limit: int) -> list[dict[str, str]]:
        rows = self.db.execute(
            "select bucket, key, unreadable from listed where unreadable is not null"
            " order by bucket, key limit ?",
            (limit,),
        )
        return [{"bucket": bucket, "key": key, "reason": reason} for bucket, key, reason in rows]
