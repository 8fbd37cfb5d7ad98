"""What is missing, what is extra, and what a plan without secrets can still be compared with."""

from __future__ import annotations

import pytest

from audit.drift import comparison, declared
from audit.drift.comparison import ABSENT
from audit.drift.declared import SECRET
from audit.engine import names
from audit.engine.flat import FlatResource
from policies.model import Resource
from policies.sources import stacks

FAKE, REAL = "aidc-test-vault-files-000000000000", "aidc-test-vault-files-0123456789ab"


def thing(name: str = "aidc-test-vault", kind: str = "container", **fields: str) -> FlatResource:
    return FlatResource(kind, name, fields)


@pytest.mark.parametrize("kind", ["container", "network", "volume"])
def test_what_is_missing_and_what_is_extra_is_named(kind: str) -> None:
    (missing,) = comparison.compare([thing(kind=kind)], [], "test")
    (extra,) = comparison.compare([], [thing(kind=kind)], "test")
    assert (missing.live, extra.planned) == (ABSENT, ABSENT)
    assert missing.field == extra.field == kind
    rows = comparison.rows([missing, extra], 0, 1)
    assert [row.verdict for row in rows] == ["fail", "pass"]


def test_a_difference_in_a_field_fails_the_other_row() -> None:
    found = comparison.compare([thing(user="1")], [thing(user="0")], "test")
    assert [row.verdict for row in comparison.rows(found, 1, 1)] == ["pass", "fail"]


def test_a_foreign_network_is_to_be_disconnected() -> None:
    (found,) = comparison.compare([thing()], [thing(**{"networks.aidc-test-backup": "10.0.0.2"})], "test")
    assert found.fix.startswith("docker network disconnect aidc-test-backup aidc-test-vault")


def test_every_difference_says_how_to_undo_it() -> None:
    planned = [
        thing(user="1"),
        thing("n", "network", driver="bridge"),
        thing("v", "volume", driver="local"),
        thing("m"),
    ]
    live = [
        thing(user="0"),
        thing("n", "network", driver="x"),
        thing("v", "volume", driver="x"),
        thing("extra"),
    ]
    found = comparison.compare(planned, live, "test")
    assert len(found) == 5
    assert all(d.fix for d in found)


def test_what_the_image_gives_is_no_difference_unless_it_was_changed() -> None:
    live = FlatResource("container", "c", {"env.PATH": "/usr/bin"}, {"env.PATH": "/usr/bin"})
    assert comparison.compare([thing("c")], [live], "test") == []
    changed = FlatResource("container", "c", {"env.PATH": "/tmp"}, {"env.PATH": "/usr/bin"})
    assert comparison.compare([thing("c")], [changed], "test")


def test_a_content_that_differs_is_said_without_its_digest() -> None:
    found = comparison.compare(
        [thing(**{"files.a": "0:0 0400 1111111111111111"})],
        [thing(**{"files.a": "0:0 0400 2222222222222222", "files.b": "0:0 0444 3333333333333333"})],
        "test",
    )
    assert [(d.planned, d.live) for d in found] == [
        ("0:0 0400", "0:0 0400, different content"),
        (ABSENT, "0:0 0444"),
    ]


def test_commands_say_from_which_word_on_they_differ() -> None:
    (found,) = comparison.compare([thing(command="a b c")], [thing(command="a x c d")], "test")
    assert (found.planned, found.live) == ("3 words", "4 words, different from word 2 on")


def test_a_longer_command_differs_after_the_last_word() -> None:
    (found,) = comparison.compare([thing(command="a b")], [thing(command="a b c")], "test")
    assert found.live == "3 words, different from word 3 on"


def test_names_that_depend_on_secrets_come_from_the_state() -> None:
    known = names.known_names([REAL, "aidc-test-vault-data"])
    assert known == {"aidc-test-vault-files": REAL}
    planned = [thing(FAKE, "volume"), thing(**{"mounts./etc/aidc": f"volume {FAKE}, read-only"})]
    named = comparison.with_names(planned, known, {})
    assert named[0].name == REAL
    assert named[1].fields["mounts./etc/aidc"] == f"volume {REAL}, read-only"


def test_a_volume_with_another_digest_than_the_state_is_a_difference() -> None:
    named = comparison.with_names([thing(FAKE, "volume")], names.known_names([REAL]), {})
    found = comparison.compare(named, [thing(FAKE, "volume")], "test")
    assert {d.resource for d in found} == {REAL, FAKE}


def test_images_are_named_by_repository() -> None:
    named = comparison.with_names(
        [thing(image="aidc-vault:000000000000")], {}, {"aidc-vault": "aidc-vault:123"}
    )
    assert named[0].fields["image"] == "aidc-vault:123"


def seed(content: str, file: str = "/files/certs/a") -> Resource:
    upload = {"file": file, "content": content, "owner": "1", "group": "2", "permissions": "0400"}
    return Resource("container", "aidc-test-vault-files", {"uploads": [upload]})


def test_files_that_differ_between_two_seeds_are_known_by_owner_and_mode_alone() -> None:
    (plain,) = declared.resources([seed("same")], [seed("same")])
    (secret,) = declared.resources([seed("one")], [seed("two")])
    assert plain.fields["files.certs/a"].startswith("1:2 0400 ")
    assert not plain.fields["files.certs/a"].endswith(SECRET)
    assert secret.fields["files.certs/a"] == f"1:2 0400 {SECRET}"


def test_a_live_secret_loses_its_digest_and_keeps_its_mode() -> None:
    plan = [thing(**{"files.a": f"1:2 0400 {SECRET}", "files.b": "1:2 0400 abc"})]
    live = [thing(**{"files.a": "1:2 0444 deadbeef", "files.b": "1:2 0400 abc"})]
    (hidden,) = declared.without_secrets(live, plan)
    assert hidden.fields == {"files.a": f"1:2 0444 {SECRET}", "files.b": "1:2 0400 abc"}
    assert [d.field for d in comparison.compare(plan, [hidden], "test")] == ["files.a"]


@pytest.fixture(scope="module")
def plans() -> tuple[tuple[Resource, ...], tuple[Resource, ...]]:
    return declared.programs("test")


def test_the_programs_plan_equals_itself_whatever_the_seed(
    plans: tuple[tuple[Resource, ...], tuple[Resource, ...]],
) -> None:
    one, two = plans
    real = {names.stem(r.name): r.name for r in one if r.kind == "volume" and names.stem(r.name) != r.name}
    first = declared.resources(one, two)
    second = comparison.with_names(declared.resources(two, one), real, {})
    assert comparison.compare(first, second, "test") == []


def test_the_programs_files_are_partly_secret(
    plans: tuple[tuple[Resource, ...], tuple[Resource, ...]],
) -> None:
    files = {
        (t.name, f): value
        for t in declared.resources(*plans)
        for f, value in t.fields.items()
        if f.startswith("files.")
    }
    hidden = {key for key, value in files.items() if value.endswith(SECRET)}
    assert ("aidc-test-load-balancer-files", "files.tls.pem") in hidden
    assert ("aidc-test-compute-files", "files.ray-token") in hidden
    assert ("aidc-test-load-balancer-files", "files.haproxy.cfg") in set(files) - hidden
    assert ("aidc-test-firewall-files", "files.nftables.conf") in set(files) - hidden


def test_the_seed_is_put_back(plans: tuple[tuple[Resource, ...], tuple[Resource, ...]]) -> None:
    assert plans
    assert stacks.FAKE_SEED != declared.OTHER_SEED
