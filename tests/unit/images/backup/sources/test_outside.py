"""What the check says of an outside store, and that it only reads."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from components.planning.config import StackConfig
from images.backup.keeper.sources import outside

WANTED = outside.buckets([b.model_dump(mode="json") for b in StackConfig().object_store.declared()])
NAMES = ("compute", "client", "tracking", "database", "backup")
LOCK = {"Mode": "COMPLIANCE", "Days": 7}


def refuse(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code}}, "asked")


class Asked:
    """A client of a store that is as declared; `wrong`: (method, bucket) → another code or answer."""

    def __init__(self, name: str, wrong: dict[tuple[str, str], Any]) -> None:
        self.name, self.wrong = name, wrong

    def _answer(self, method: str, bucket: str, good: Any) -> Any:
        granted = self.name in next(b.read for b in WANTED if b.name == bucket)
        answer = self.wrong.get((method, bucket), good if granted else "AccessDenied")
        if isinstance(answer, str):
            raise refuse(answer)
        return answer

    # The names of its arguments are boto3's. Whatever writes is not here, and so would fail.
    def list_objects_v2(self, Bucket: str, MaxKeys: int) -> Any:  # noqa: N803
        assert MaxKeys == 1
        return self._answer("list", Bucket, {})

    def head_object(self, Bucket: str, Key: str) -> Any:  # noqa: N803
        assert Key.startswith(".aidc-check-")
        return self._answer("head", Bucket, "404")

    def get_bucket_versioning(self, Bucket: str) -> Any:  # noqa: N803
        return self._answer("versioning", Bucket, {"Status": "Enabled"})

    def get_object_lock_configuration(self, Bucket: str) -> Any:  # noqa: N803
        rule = {"Rule": {"DefaultRetention": LOCK}}
        return self._answer("lock", Bucket, {"ObjectLockConfiguration": rule})


def examine(
    wrong: dict[tuple[str, str], Any] | None = None, of: tuple[str, ...] = NAMES, opened: str = ""
) -> outside.Findings:
    clients = {name: Asked(name, (wrong or {}) if name in of else {}) for name in NAMES}
    return outside.examine(WANTED, clients, Asked("nobody", {("list", opened): {}}))


def test_a_store_as_declared_has_no_fault() -> None:
    found = examine()
    assert found.faults == []
    assert found.unseen == list(outside.UNSEEN)


@pytest.mark.parametrize(
    ("wrong", "of", "says"),
    [
        ({("list", "models"): "NoSuchBucket"}, NAMES, "bucket models does not exist"),
        ({("list", "models"): "AccessDenied"}, ("compute",), "compute cannot list bucket models"),
        ({("head", "models"): "403"}, ("client",), "client cannot read objects of bucket models"),
        ({("list", "database"): {}}, ("client",), "client can read bucket database, which is not granted"),
        ({("list", "tracking"): "SlowDown"}, ("client",), "client gets an unexpected answer"),
        ({("versioning", "datasets"): {}}, NAMES, "bucket datasets keeps no versions"),
        ({("versioning", "datasets"): {"Status": "Suspended"}}, NAMES, "bucket datasets keeps no versions"),
        ({("lock", "database"): "ObjectLockConfigurationNotFoundError"}, NAMES, "it has: none"),
        (
            {("lock", "database"): {"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}}},
            NAMES,
            "it has: none",
        ),
    ],
)
def test_a_fault_is_named_once(wrong: dict[tuple[str, str], Any], of: tuple[str, ...], says: str) -> None:
    (fault,) = examine(wrong, of).faults
    assert says in fault
    assert "fix: " in fault


@pytest.mark.parametrize("retention", [{"Mode": "GOVERNANCE", "Days": 30}, {"Mode": "COMPLIANCE", "Days": 6}])
def test_a_weaker_lock_than_declared_is_a_fault(retention: dict[str, Any]) -> None:
    answer = {"ObjectLockConfiguration": {"Rule": {"DefaultRetention": retention}}}
    (fault,) = examine({("lock", "database"): answer}).faults
    assert f"{retention['Days']} days" in fault


def test_a_longer_lock_is_none() -> None:
    answer = {"ObjectLockConfiguration": {"Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Years": 1}}}}
    assert examine({("lock", "database"): answer}).faults == []


def test_all_faults_are_named_at_once() -> None:
    wrong = {("list", "models"): "NoSuchBucket", ("list", "results"): "NoSuchBucket"}
    assert len(examine(wrong).faults) == 2


def test_a_key_that_is_refused_is_one_fault_and_the_others_are_tried() -> None:
    refused = {("list", bucket.name): "InvalidAccessKeyId" for bucket in WANTED}
    faults = examine(refused, ("compute",)).faults
    assert faults == [
        "the key of compute is refused (InvalidAccessKeyId); fix: correct [compute] in the credentials file"
    ]


def test_a_bucket_that_everybody_may_list_is_a_fault() -> None:
    (fault,) = examine(opened="datasets").faults
    assert "open to everybody" in fault


def test_what_no_identity_may_see_is_said() -> None:
    found = examine({("versioning", "models"): "AccessDenied", ("lock", "database"): "AccessDenied"})
    assert found.faults == []
    assert [text.partition(":")[0] for text in found.unseen[:2]] == ["versions of models", "lock of database"]
