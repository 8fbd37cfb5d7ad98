"""The verdicts on the object store, from what it was found to have."""

from audit.storage import check
from audit.storage.buckets import Difference
from audit.storage.shards import Damage, Scrub
from components.planning.config import StackConfig

DECLARED = StackConfig().object_store.declared()
WRONG = Difference("models", "versioning", "on", "off")
DAMAGE = Damage("models/a", {"object-store-2": "corrupt"}, lost=False, healed=False)


def test_as_declared_passes() -> None:
    assert [row.verdict for row in check.settings_rows("dev", DECLARED, [], [])] == ["pass", "pass"]


def test_a_difference_fails_and_names_bucket_and_setting() -> None:
    buckets, policies = check.settings_rows("dev", DECLARED, [WRONG], [])
    assert (buckets.verdict, policies.verdict) == ("fail", "pass")
    assert "models: versioning is off, declared on" in buckets.detail


def test_a_stack_that_declares_nothing_was_not_compared() -> None:
    assert [row.verdict for row in check.settings_rows("dev", [], [], [])] == ["not checked"]


def test_a_bucket_that_nobody_declares_is_a_warning() -> None:
    assert check.undeclared_row([]).verdict == "pass"
    assert check.undeclared_row(["old"]).verdict == "warn"
    assert "old" in check.undeclared_row(["old"]).detail


def test_damage_fails_with_its_place_and_the_command_that_mends_it() -> None:
    row = check.scrub_row("dev", Scrub(3, True, (DAMAGE,)))
    assert (row.verdict, row.detail) == ("fail", "1 damaged object: models/a: corrupt on object-store-2")
    assert row.fix.startswith("make scrub STACK=dev")


def test_what_was_not_read_in_time_is_not_called_whole() -> None:
    assert check.scrub_row("dev", Scrub(3, False, ())).verdict == "not checked"
    assert check.scrub_row("dev", Scrub(3, True, ())).verdict == "pass"
