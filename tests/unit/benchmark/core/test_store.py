"""What both stores promise: the one in a directory behaves as S3 does, so that tests of one hold for both."""

# ruff: noqa: N803  (arguments have the names of S3)
from __future__ import annotations

import io
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmark.cluster.ray_api import RayClient
from benchmark.core.config import Workload
from benchmark.core.documents import get_json, put_json
from benchmark.core.errors import StackError, StoreError
from benchmark.core.store import DirectoryStore, S3Store, Store
from benchmark.training.job import has_failed
from benchmark.training.spec import Spec

PAGE = 3
SPELLINGS = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


class FakeS3:
    """As much of an S3 client as the store calls: prefixes are the beginnings of names, pages are small."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], bytes] = {}

    def put_object(self, Bucket: str, Key: str, Body: bytes) -> None:
        self.objects[Bucket, Key] = Body

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        return {"Body": io.BytesIO(self._one(Bucket, Key, "NoSuchKey"))}

    def head_object(self, Bucket: str, Key: str) -> None:
        self._one(Bucket, Key, "404")

    def delete_object(self, Bucket: str, Key: str) -> None:
        self.objects.pop((Bucket, Key), None)

    def list_objects_v2(self, Bucket: str, Prefix: str, ContinuationToken: str = "") -> dict[str, Any]:
        keys = sorted(k for b, k in self.objects if b == Bucket and k.startswith(Prefix))
        rest = [k for k in keys if k > ContinuationToken]
        page = rest[:PAGE]
        more = {"NextContinuationToken": page[-1]} if len(rest) > PAGE else {}
        rows = [{"Key": k, "Size": len(self.objects[Bucket, k])} for k in page]
        return {"Contents": rows, "IsTruncated": bool(more), **more}

    def _one(self, bucket: str, key: str, code: str) -> bytes:
        if (bucket, key) not in self.objects:
            raise ClientError({"Error": {"Code": code}}, "GetObject")
        return self.objects[bucket, key]


def s3() -> S3Store:
    found = S3Store("http://127.0.0.1:9", "a", "b")
    found.client = FakeS3()
    return found


@pytest.fixture(params=["directory", "s3"])
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return DirectoryStore(tmp_path) if request.param == "directory" else s3()


def test_a_prefix_is_the_beginning_of_a_name(any_store: Store) -> None:
    keys = [
        "results/r/mlp-wide/error.json",
        "results/r/mlp/error.json",
        "results/r/mlp/seed-1.json",
        "results/s",
    ]
    for key in keys:
        any_store.put(key, b"x")
    assert any_store.list("results/r/mlp") == keys[:3]
    assert any_store.list("results/r/mlp/") == keys[1:3]
    assert any_store.list("results/r/mlp/seed-") == keys[2:3]
    assert any_store.list("results/r/ml/") == []
    assert any_store.list("results/") == sorted(keys)


def test_names_that_begin_with_a_dot_are_listed(any_store: Store) -> None:
    any_store.put("results/.hidden", b"x")
    assert any_store.list("results/") == ["results/.hidden"]


def test_more_than_a_page_is_listed(any_store: Store) -> None:
    keys = [f"results/{i:02d}" for i in range(3 * PAGE + 1)]
    for key in keys:
        any_store.put(key, b"x")
    assert any_store.list("results/") == keys


def test_each_object_has_its_size(any_store: Store) -> None:
    for number in range(2 * PAGE):
        any_store.put(f"results/a/{number}", b"x" * number)
    any_store.put("results/ab", b"x")
    assert any_store.sizes("results/a/") == {f"results/a/{number}": number for number in range(2 * PAGE)}


def test_the_last_put_counts(any_store: Store) -> None:
    any_store.put("results/a", b"1")
    any_store.put("results/a", b"22")
    assert any_store.get("results/a") == b"22"
    assert any_store.list("results/a") == ["results/a"]


@pytest.mark.parametrize("key", ["results/absent", "results/folder", "results/folder/x/y"])
def test_what_is_no_object_does_not_exist_and_is_named(any_store: Store, key: str) -> None:
    any_store.put("results/folder/x", b"1")
    assert not any_store.exists(key)
    any_store.delete(key)
    with pytest.raises(StoreError, match=f"{key}: no such object"):
        any_store.get(key)
    assert any_store.exists("results/folder/x")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.sets(st.from_regex(r"[ab.-]{1,3}/[ab.-]{1,3}", fullmatch=True).filter(
        lambda name: not {".", ".."} & set(name.split("/"))
    ), max_size=8),
    prefix=st.from_regex(r"[ab.-]{0,3}(/[ab.-]{0,3})?", fullmatch=True),
)  # fmt: skip
def test_both_stores_list_the_same(
    tmp_path_factory: pytest.TempPathFactory, names: set[str], prefix: str
) -> None:
    directory, remote = DirectoryStore(tmp_path_factory.mktemp("d")), s3()
    for store in (directory, remote):
        for name in names:
            store.put(f"results/{name}", b"x")
    if not {".", ".."} & set(prefix.split("/")):
        assert directory.list(f"results/{prefix}") == remote.list(f"results/{prefix}")


def test_a_workload_does_not_fail_for_its_neighbours_error(any_store: Store, tiny: Workload) -> None:
    spec = Spec(run_id="r", workload=tiny)
    put_json(any_store, f"{spec.prefix}-wide/error.json", {})
    assert not has_failed(spec, any_store)
    put_json(any_store, f"{spec.prefix}/error.json", {})
    assert has_failed(spec, any_store)


def test_an_error_of_an_attempt_before_does_not_count_once_all_results_are_there(
    any_store: Store, tiny: Workload
) -> None:
    spec = Spec(run_id="r", workload=tiny)
    for name in ("error", *(f"seed-{seed}" for seed in tiny.seeds)):
        put_json(any_store, f"{spec.prefix}/{name}.json", {})
    assert not has_failed(spec, any_store)
    assert get_json(any_store, f"{spec.prefix}/error.json") == {}


@pytest.fixture
def proxy() -> Iterator[tuple[int, list[bytes]]]:
    """A port that stands for a proxy, and what arrives there."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            try:
                while True:
                    connection, _ = server.accept()
                    with connection:
                        heard.append(connection.recv(100))
            except OSError:
                pass

        threading.Thread(target=listen, daemon=True).start()
        yield server.getsockname()[1], heard
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_stack_is_never_asked_through_a_proxy(
    spelling: str, proxy: tuple[int, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    port, heard = proxy
    for name in (*SPELLINGS, "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(spelling, f"http://127.0.0.1:{port}")
    for url in ("http://127.0.0.1:9", "https://127.0.0.1:9"):
        store = S3Store(url, "a", "b")
        store.client.meta.config.retries["total_max_attempts"] = 1
        with pytest.raises(StoreError, match=r"127\.0\.0\.1:9 cannot be reached") as caught:
            store.put("results/x", b"")
        assert "proxy" not in str(caught.value).lower()
        with pytest.raises(StackError, match="cannot be reached") as asked:
            RayClient(url).status("x")
        assert "proxy" not in str(asked.value).lower()
    assert heard == []
