"""What a rotation proves of the object store's identities, against a store that is made up."""

from datetime import date
from unittest.mock import Mock

import pytest
from docker.errors import NotFound

from components.planning import secrets
from components.planning.config import StackConfig
from components.planning.plan import make_plan
from components.planning.rotation import Generations
from operations.commands import rotate
from operations.errors import OperationError
from operations.rotation import identities
from operations.rotation.subject import Session, Subject

DAY = date(2026, 11, 25)
SEED = "0f" * 32
PLAN = make_plan("dev", StackConfig())
SESSION = Session("ID", "KEY", "TOKEN")
DECLARED = {"A": "s3/compute", "B": "s3/client", "C": "s3/backup"}
LISTED = ["user A compute", "user B client", "user C backup"]


@pytest.fixture
def engine() -> Mock:
    return Mock()


@pytest.fixture
def subject(engine: Mock) -> Subject:
    generations = Generations(DAY, DAY, {"s3/client": 2})
    return Subject(PLAN, engine, SEED, generations, "ca.pem", {"s3/client": SESSION})


def test_whom_the_file_declares_is_not_foreign() -> None:
    assert identities.foreign(LISTED, DECLARED) == []


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("user client client", "knows a user that is not declared"),
        ("user D ", "knows a user that is not declared"),
        ("service X", "knows a service account"),
        ("session B", "knows a session of s3/client"),
        ("session ROOT", "knows a session of a user that is not declared"),
    ],
)
def test_whoever_else_is_there_is_told_without_an_id(line: str, fault: str) -> None:
    assert identities.foreign([*LISTED, line], DECLARED) == [fault]


@pytest.mark.parametrize("policy", ["", "readwrite", "backup,readwrite"])
def test_an_identity_has_its_own_policy_alone(policy: str) -> None:
    found = identities.foreign([*LISTED[:2], f"user C {policy}"], DECLARED)
    assert found == ["gives s3/backup policies other than its own"]


def test_an_identity_that_is_missing_is_told() -> None:
    assert identities.foreign(LISTED[1:], DECLARED) == ["does not know s3/compute"]


class Store:
    """A made-up store behind the product's own questions; right after a rotation of `s3/client` at first."""

    def __init__(self, subject: Subject) -> None:
        self.new, self.old = identities.pairs(subject, "s3/client")
        self.subject = subject
        self.taken = {self.new}
        # What each node answers to a session of before, and whom the store lists.
        self.status = "403"
        users = [name for name in identities.NAMES if name != "s3/root"]
        self.listed = [f"user {identities.pairs(subject, n)[0][0]} {n.partition('/')[2]}" for n in users]

    def list_buckets(self, _subject: Subject, access_key: str, key: str) -> str:
        if (access_key, key) in self.taken:
            return ""
        known = access_key in {pair[0] for pair in self.taken}
        return "SignatureDoesNotMatch" if known else "InvalidAccessKeyId"

    def run(self, _node: str, command: list[str], _values: object) -> tuple[int, str]:
        return 0, self.status if command[1] == "try" else "\n".join(self.listed)

    def faults(self) -> list[str]:
        return list(identities.proof(self.subject, "s3/client"))


@pytest.fixture
def store(subject: Subject, engine: Mock, monkeypatch: pytest.MonkeyPatch) -> Store:
    store = Store(subject)
    monkeypatch.setattr(identities, "list_buckets", store.list_buckets)
    engine.run = store.run
    return store


def test_a_rotation_is_proven_by_what_is_taken_and_what_is_refused(store: Store) -> None:
    assert store.faults() == []


def test_a_key_that_is_not_accepted_is_reported(store: Store) -> None:
    store.taken = set()
    assert store.faults() == ["the new key is not accepted: InvalidAccessKeyId"]


@pytest.mark.parametrize(
    ("which", "fault"),
    [
        ("old", "the old id with its old key is not refused: accepted"),
        ("constant", "the name 'client' with the new key is not refused: accepted"),
        ("old id", "the old id with the new key is not refused: accepted"),
        ("old key", "the new id with the old key is not refused: accepted"),
    ],
)
def test_what_was_before_is_refused(which: str, fault: str, store: Store) -> None:
    (new_id, new_key), (old_id, old_key) = store.new, store.old
    store.taken |= {
        {
            "old": store.old,
            "constant": ("client", new_key),
            "old id": (old_id, new_key),
            "old key": (new_id, old_key),
        }[which]
    }
    assert store.faults() == [fault]


@pytest.mark.parametrize("status", ["200", "000", ""])
def test_a_session_of_before_is_refused_by_every_node(status: str, store: Store) -> None:
    store.status = status
    nodes = [service.name for service in PLAN.by_role("object-store")]
    assert [fault.partition(":")[0] for fault in store.faults()] == nodes


def test_what_was_made_meanwhile_is_told(store: Store) -> None:
    store.listed.append("service X")
    assert store.faults() == ["the object store knows a service account"]


def test_a_store_that_does_not_answer_proves_nothing(subject: Subject, engine: Mock) -> None:
    engine.run.return_value = (1, "")
    assert list(identities.undeclared(subject)) == ["the object store cannot list its identities"]


def test_a_node_that_is_away_is_a_fault_and_no_traceback(subject: Subject, engine: Mock) -> None:
    engine.run.side_effect = NotFound("no such container")
    assert "no such container" in "".join(identities.sweep(subject))


def test_id_and_key_rotate_together(subject: Subject) -> None:
    new, old = identities.pairs(subject, "s3/client")
    assert new == (secrets.access_key(SEED, "s3/client", 2), secrets.password(SEED, "s3/client", 2))
    assert old == (secrets.access_key(SEED, "s3/client", 1), secrets.password(SEED, "s3/client", 1))


def test_before_a_rotation_all_is_swept_and_each_key_gives_a_session(subject: Subject, engine: Mock) -> None:
    engine.run.side_effect = [(0, "removed"), (0, "ID KEY TOKEN"), (0, "ID KEY TOKEN")]
    assert rotate.derive(subject, ["certificates", "s3/root", "s3/client"]) == {
        "s3/root": SESSION,
        "s3/client": SESSION,
    }
    assert [call.args[1][1] for call in engine.run.call_args_list] == ["sweep", "session", "session"]


def test_no_store_is_asked_when_no_key_of_it_rotates(subject: Subject, engine: Mock) -> None:
    assert rotate.derive(subject, ["certificates", "ray/token"]) == {}
    engine.run.assert_not_called()


def test_nothing_rotates_when_the_present_key_is_not_taken(subject: Subject, engine: Mock) -> None:
    engine.run.side_effect = [(0, "removed"), (22, "")]
    with pytest.raises(OperationError, match=r"s3/client.*nothing was rotated"):
        rotate.derive(subject, ["s3/client"])


def test_no_key_shows_in_what_is_printed_of_a_session() -> None:
    assert "KEY" not in repr(SESSION)
    assert "TOKEN" not in repr(SESSION)


def test_a_session_of_who_may_list_nothing_is_not_tried(engine: Mock) -> None:
    subject = Subject(PLAN, engine, SEED, Generations(DAY, DAY), "ca.pem", {"s3/monitor": SESSION})
    assert list(identities.revived(subject, "s3/monitor")) == []
    assert not engine.method_calls
