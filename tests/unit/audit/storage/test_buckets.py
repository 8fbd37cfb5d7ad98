"""The store's own documents compared with the declaration; the documents are as MinIO writes them."""

import json
from typing import Any

import pytest

from audit.storage import buckets
from components.planning.bucket_documents import documents
from components.planning.buckets import IDENTITIES, Declared, Lifecycle, ObjectLock
from components.planning.config import StackConfig
from components.planning.grants import policy

DECLARED = StackConfig().object_store.declared()
KEPT = Declared(
    name="kept",
    quota=2**30,
    versioning=True,
    lifecycle=Lifecycle(expire_after_days=30, noncurrent_days=9),
    object_lock=ObjectLock(mode="governance", days=3),
)
ABSENT = "404\t<Error><Code>NoSuch</Code></Error>"
XMLNS = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


def shown(bucket: Declared, **changed: str) -> str:
    """What `buckets show` prints of a bucket as declared, but for `changed`: setting → status, document."""
    told = documents(bucket)
    versioning = told["versioning.xml"] if bucket.versioning else f"<VersioningConfiguration{XMLNS}/>"
    given = {
        "versioning": f"200\t{versioning}",
        "object_lock": f"200\t{told['lock.xml']}" if bucket.object_lock else ABSENT,
        "lifecycle": f"200\t{told['lifecycle.xml']}" if "lifecycle.xml" in told else ABSENT,
        "quota": f'200\t{{"quota":{bucket.quota},"size":{bucket.quota},"rate":0,"quotatype":"hard"}}',
        "policy": ABSENT,
    }
    return "".join(f"{bucket.name}\t{name}\t{text}\n" for name, text in (given | changed).items())


def found(bucket: Declared, **changed: str) -> list[str]:
    return [str(d) for d in buckets.differences([bucket], buckets.read(shown(bucket, **changed)))]


@pytest.mark.parametrize("bucket", [*DECLARED, KEPT], ids=lambda bucket: bucket.name)
def test_a_bucket_that_is_as_declared_has_no_difference(bucket: Declared) -> None:
    assert found(bucket) == []


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"versioning": "200\t<VersioningConfiguration/>"}, "versioning is off, declared on"),
        (
            {
                "versioning": "200\t<VersioningConfiguration><Status>Enabled</Status><ExcludedPrefixes>"
                "<Prefix>a/</Prefix></ExcludedPrefixes></VersioningConfiguration>"
            },
            "versioning is on with exceptions, declared on",
        ),
        ({"object_lock": ABSENT}, "object_lock is none, declared Days=3 Mode=GOVERNANCE"),
        (
            {
                "object_lock": "200\t<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>"
                "</ObjectLockConfiguration>"
            },
            "object_lock is none, declared Days=3 Mode=GOVERNANCE",
        ),
        ({"quota": '200\t{"quota":0,"size":0}'}, "quota is none, declared 1GiB"),
        ({"quota": '200\t{"size":1073741824,"rate":5}'}, "quota is 1GiB rate, declared 1GiB"),
        ({"policy": '200\t{"Statement":[]}'}, "policy is set for everybody, declared none"),
        ({"quota": "503\t"}, "quota is unknown, as the store answered with status 503, declared 1GiB"),
        (
            {"versioning": "200\t<broken"},
            "versioning is unknown, as the store's document cannot be read, declared on",
        ),
    ],
)
def test_a_setting_that_differs_is_named(changed: dict[str, str], text: str) -> None:
    assert found(KEPT, **changed) == [f"kept: {text}"]


@pytest.mark.parametrize(
    "change",
    [
        ("<Days>30</Days>", "<Days>3</Days>"),
        ("<Status>Enabled</Status>", "<Status>Disabled</Status>"),
        ("<Prefix></Prefix>", "<Prefix>logs/</Prefix>"),
        ("<LifecycleConfiguration>", "<LifecycleConfiguration><Rule><Status>Enabled</Status></Rule>"),
    ],
    ids=["days", "disabled", "prefix", "one more rule"],
)
def test_a_lifecycle_that_removes_something_else_differs(change: tuple[str, str]) -> None:
    (text,) = found(KEPT, lifecycle="200\t" + documents(KEPT)["lifecycle.xml"].replace(*change))
    assert text.startswith("kept: lifecycle is ")


def test_a_bucket_that_is_missing_is_named() -> None:
    (difference,) = buckets.differences([KEPT], {})
    assert str(difference) == "kept: the bucket is missing, declared present"


def test_a_bucket_that_nobody_declares_is_named() -> None:
    assert buckets.undeclared(DECLARED, ["models", "stolen", "database"]) == ["stolen"]


@pytest.mark.parametrize("text", ["kept", "kept\tquota", "error: no such host"])
def test_anything_else_than_settings_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a line"):
        buckets.read(text)


def listed(**changed: Any) -> str:
    """The policies as the store lists them: in another order and spelling, with its own beside them."""
    known: dict[str, Any] = {"readwrite": {"Version": "2012-10-17", "Statement": []}}
    for user in IDENTITIES:
        document = json.loads(policy(user, DECLARED))
        for statement in document["Statement"]:
            statement["Action"] = sorted(statement["Action"], reverse=True)
            for keys in statement.get("Condition", {}).values():
                for key, value in keys.items():
                    keys[key] = [value == "true"] if value in ("true", "false") else [value]
        known[user] = document
    return json.dumps(known | changed)


def test_policies_as_the_store_writes_them_are_as_declared() -> None:
    assert buckets.wrong_policies(DECLARED, listed()) == []


def test_an_identity_that_may_do_more_is_named() -> None:
    everything = {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]}
    document = json.loads(policy("client", DECLARED))
    document["Statement"].append(everything)
    (wrong,) = buckets.wrong_policies(DECLARED, listed(client=document))
    assert (wrong.where, wrong.live) == ("identity client", "1 others and 0 missing")


@pytest.mark.parametrize("field", ["NotAction", "NotResource", "Principal"])
def test_a_statement_with_another_meaning_is_another_statement(field: str) -> None:
    document = json.loads(policy("client", DECLARED))
    document["Statement"][0][field] = ["x"]
    assert buckets.wrong_policies(DECLARED, listed(client=document))


def test_a_policy_that_is_gone_is_named() -> None:
    known = json.loads(listed())
    del known["backup"]
    (wrong,) = buckets.wrong_policies(DECLARED, json.dumps(known))
    assert (wrong.where, wrong.live) == ("identity backup", "missing")


def test_a_node_that_knows_another_setting_than_the_first_is_named() -> None:
    right, wrong = buckets.read(shown(KEPT)), buckets.read(shown(KEPT, object_lock=ABSENT))
    views = {"object-store-1": right, "object-store-2": wrong, "object-store-3": right}
    text = "kept on object-store-2: object_lock is none, declared Days=3 Mode=GOVERNANCE"
    assert [str(difference) for difference in buckets.differing([KEPT], views)] == [text]


def test_what_all_nodes_know_alike_is_named_once() -> None:
    wrong = buckets.read(shown(KEPT, object_lock=ABSENT))
    found = buckets.differing([KEPT], {"object-store-1": wrong, "object-store-2": wrong})
    assert [difference.where for difference in found] == ["kept"]
