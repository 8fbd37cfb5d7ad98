"""What `make rotate` takes on, says and writes; and what its end does to an engine that is made up."""

import json
import sys
from datetime import date
from pathlib import Path
from unittest.mock import Mock

import pytest

from components.planning.config import StackConfig
from components.planning.plan import make_plan
from components.planning.rotation import ROTATABLE, Generations
from operations.commands import rotate
from operations.errors import OperationError, RefusedError
from operations.preflight import checks
from operations.rotation import proof, steps
from operations.rotation.subject import Subject
from operations.stack.file import StackFile, read

TODAY = date(2026, 11, 25)
SEED = "0f" * 32
PLAN = make_plan("dev", StackConfig())
FILE = StackFile(
    "dev", Path("Pulumi.dev.yaml"), {"aidc:issued": "2026-01-01", "aidc:generations": {"s3/root": 2}}
)


def test_all_is_everything_that_ends_no_jobs() -> None:
    names, issues = rotate.chosen("all")
    assert set(ROTATABLE) - set(names) == {"s3/compute", "ray/token"}
    assert issues == []


def test_all_and_a_name_is_both() -> None:
    assert set(rotate.chosen("all,ray/token")[0]) == set(ROTATABLE) - {"s3/compute"}


@pytest.mark.parametrize(("what", "number"), [("s3/clinet, nothing,s3/encryption,s3/root", 3), (" ,", 1)])
def test_every_wrong_name_is_told_at_once(what: str, number: int) -> None:
    assert len(rotate.chosen(what)[1]) == number


def test_a_rotation_writes_the_next_generation_and_that_it_is_under_way() -> None:
    assert rotate.steps(FILE, ["s3/root", "s3/client"], TODAY) == {
        'aidc:generations["s3/root"]': "3",
        'aidc:rotating["s3/root"]': "3",
        'aidc:generations["s3/client"]': "2",
        'aidc:rotating["s3/client"]': "2",
    }


@pytest.mark.parametrize("name", ["certificates", "authority"])
def test_certificates_are_valid_from_the_day_of_their_rotation(name: str) -> None:
    assert rotate.steps(FILE, [name], TODAY)["aidc:renewed"] == "2026-11-25"


def test_a_password_leaves_the_dates_alone() -> None:
    assert "aidc:renewed" not in rotate.steps(FILE, ["s3/root"], TODAY)


def test_what_ends_jobs_is_not_done_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False)
    with pytest.raises(RefusedError, match="ray/token ends jobs"):
        rotate.confirm(["ray/token"], yes=False)
    rotate.confirm(["ray/token"], yes=True)
    rotate.confirm([], yes=False)


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ("aidc:generations: {s3/clinet: 2}", "config.aidc:generations.s3/clinet"),
        ("aidc:renewed: '2026-02-30'", "config.aidc:renewed"),
        ("aidc:rotating: {nothing: 2}", "config.aidc:rotating"),
        ("aidc:rotating: [s3/root]", "config.aidc:rotating"),
    ],
)
def test_the_stacks_file_is_checked(config: str, path: str, tmp_path: Path) -> None:
    (tmp_path / "Pulumi.dev.yaml").write_text(f"config:\n  {config}\n")
    assert [issue.path for issue in read("dev", tmp_path).issues] == [path]


@pytest.mark.parametrize(
    ("renewed", "said"), [("2026-11-01", ""), ("2025-11-20", "expire in 27 days"), ("2025-01-01", "expired")]
)
def test_a_warning_comes_before_the_certificates_end(renewed: str, said: str) -> None:
    file = StackFile("dev", Path("x"), {"aidc:issued": "2025-01-01", "aidc:renewed": renewed})
    found = checks.certificates(file, TODAY)
    assert found.issues == ()
    assert bool(found.warnings) == bool(said)
    assert said in "".join(found.warnings)


@pytest.fixture
def engine() -> Mock:
    engine = Mock()
    engine.inspect.return_value = {
        "Config": {"Labels": {}},
        "State": {"Status": "running", "Health": {"Status": "healthy"}},
    }
    return engine


@pytest.fixture
def subject(engine: Mock) -> Subject:
    return Subject(PLAN, engine, SEED, Generations(TODAY, TODAY, {"vault/repository": 2}), "ca.pem")


def test_nodes_restart_one_by_one_and_only_when_the_others_can_do_without(
    subject: Subject, engine: Mock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    # None: the store cannot do without the node now.
    answers = [None, "", None, None, "", "", ""]
    done = ""

    def ask(_node: str, _command: list[str]) -> str | None:
        nonlocal done
        done += "?"
        return answers.pop(0)

    def restart(node: str) -> None:
        nonlocal done
        done += node[-1]

    engine.output.side_effect, engine.restart.side_effect = ask, restart
    steps.restart_one_by_one(subject)
    assert done == "??1???2?3?4"


def test_only_the_key_of_the_old_password_is_revoked(subject: Subject, engine: Mock) -> None:
    keys = [{"id": "11111111", "current": False}, {"id": "22222222", "current": True}]
    engine.output.return_value = json.dumps(keys)
    engine.run.return_value = (0, "revoked")
    steps.revoke(subject)
    engine.run.assert_called_once_with("aidc-dev-vault", ["revoke-key", "22222222"])


def test_a_revoked_key_is_not_looked_for_again(subject: Subject, engine: Mock) -> None:
    engine.output.return_value = None
    steps.revoke(subject)
    engine.run.assert_not_called()


@pytest.fixture
def passing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time passes by sleeping only."""
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr("time.sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))


@pytest.mark.usefixtures("passing")
def test_a_backup_that_goes_on_failing_stops_the_rotation(subject: Subject, engine: Mock) -> None:
    engine.run.return_value = (1, "first\nbackup failed\n")
    with pytest.raises(OperationError, match="backup failed"):
        steps.back_up(subject)
    assert engine.run.call_count > 1


@pytest.mark.usefixtures("passing")
def test_a_backup_may_meet_a_node_that_does_not_know_its_key_yet(subject: Subject, engine: Mock) -> None:
    engine.run.side_effect = [(1, "InvalidAccessKeyId"), (1, "InvalidAccessKeyId"), (0, "backup finished")]
    steps.back_up(subject)


def test_every_name_has_a_proof() -> None:
    assert set(proof.CHECKS) == set(ROTATABLE)


def test_keys_of_an_outside_store_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    names, issues = rotate.without_outside(["certificates", "s3/client", "s3/backup"], "all", "keys.ini")
    assert (names, issues) == (["certificates"], [])
    assert "s3/client, s3/backup" in capsys.readouterr().out


def test_a_key_of_an_outside_store_that_is_named_is_refused_with_the_way_to_it() -> None:
    _, issues = rotate.without_outside(["s3/client"], "s3/client", "keys.ini")
    assert [issue.path for issue in issues] == ["WHAT s3/client"]
    assert "keys.ini" in issues[0].fix
