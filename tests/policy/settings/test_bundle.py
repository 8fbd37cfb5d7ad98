"""Mistakes in waivers and levels: all are reported at once, each with file, line, field and fix."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.planning.issues import Issue
from policies.catalogue import NAMES
from policies.settings import bundle, levels, waivers
from policies.settings.documents import SettingsError
from policies.settings.levels import Levels
from policies.settings.waivers import Waiver

DATA = Path(__file__).parents[1].parent / "testdata" / "policies"
STACKS = ("dev", "test", "prod")
EXPECT = "# expect: "


def mistakes(path: Path) -> list[str]:
    found: list[Issue] = []
    if path.parent.name == "waivers":
        waivers.load(NAMES, STACKS, found, path)
    else:
        levels.load("prod", NAMES, STACKS, found, path)
    return [issue.sentence for issue in found]


def files(pattern: str) -> list[Path]:
    return sorted(DATA.glob(pattern))


def name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


@pytest.mark.parametrize("path", files("*/valid-*.yaml"), ids=name)
def test_a_valid_file_is_accepted(path: Path) -> None:
    assert mistakes(path) == []


@pytest.mark.parametrize("path", files("*/invalid-*.yaml"), ids=name)
def test_every_mistake_is_told_with_file_line_field_and_fix(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    expected = [line.removeprefix(EXPECT) for line in lines if line.startswith(EXPECT)]
    found = mistakes(path)
    assert expected
    for text in expected:
        assert any(f.startswith(f"{path.parent.name}/{path.name}:{text}") for f in found), (text, found)
    assert len(found) == len(expected), found
    assert all(". Fix: " in problem for problem in found)


def test_what_a_valid_file_says_is_in_force() -> None:
    found = waivers.load(NAMES, STACKS, [], DATA / "waivers" / "valid-single-faults.yaml")
    assert [(w.fault, w.place) for w in found] == [
        ("capability NET_RAW", "waivers/valid-single-faults.yaml:1"),
        ("capability BPF", "waivers/valid-single-faults.yaml:7"),
    ]
    assert all(isinstance(waiver, Waiver) and waiver.stack == "prod" for waiver in found)


@pytest.mark.parametrize(
    ("stack", "process_limit", "log_cap", "no_latest"),
    [("prod", "mandatory", "advisory", "mandatory"), ("dev", "mandatory", None, None)],
)
def test_the_more_special_level_wins(
    stack: str, process_limit: str, log_cap: str | None, no_latest: str | None
) -> None:
    path = DATA / "levels" / "valid-all-and-one-stack.yaml"
    chosen: Levels = levels.load(stack, NAMES, STACKS, [], path)
    assert chosen.get("process-limit") == process_limit
    assert chosen.get("log-cap") == log_cap
    assert chosen.get("no-latest") == no_latest


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with one stack and no exceptions."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "Pulumi.dev.yaml").write_text("{}\n", encoding="utf-8")
    (tmp_path / "policies" / "waivers.yaml").write_text("[]\n", encoding="utf-8")
    (tmp_path / "policies" / "levels.yaml").write_text("{}\n", encoding="utf-8")
    return tmp_path


def test_a_stack_has_a_file(root: Path) -> None:
    assert bundle.stacks(root) == {"dev"}


def test_no_settings_are_fine(root: Path) -> None:
    found = bundle.load("dev", NAMES, root)
    assert found.waivers == ()
    assert not found.levels


def test_mistakes_of_both_files_are_told_together(root: Path) -> None:
    (root / "policies" / "waivers.yaml").write_text("- text\n", encoding="utf-8")
    (root / "policies" / "levels.yaml").write_text("dev: {cpu-limit: off}\n", encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        bundle.load("dev", NAMES, root)
    assert [issue.path for issue in caught.value.issues] == [
        "policies/waivers.yaml",
        "policies/levels.yaml",
    ]
    assert str(caught.value).startswith("2 mistakes in the settings of the policies; nothing was checked\n")


def test_blanks_around_a_waivers_texts_mean_nothing(root: Path) -> None:
    """They pass the check of names, so a waiver with them must still waive."""
    reason, owner = "Needed while the test is running.", "platform-security"
    (root / "policies" / "waivers.yaml").write_text(
        f'- {{resource: " aidc-{{stack}}-vault", rule: "no-privileged\\t", reason: "{reason} ",'
        f" owner: {owner},"
        " expires: 2099-01-31}\n",
        encoding="utf-8",
    )
    (waiver,) = bundle.load("dev", NAMES, root).waivers
    assert (waiver.resource, waiver.rule, waiver.reason) == ("aidc-{stack}-vault", "no-privileged", reason)
    assert waiver.covers("dev", "no-privileged", "aidc-dev-vault", "privileged is set")


@pytest.mark.parametrize("file", ["waivers.yaml", "levels.yaml"])
def test_a_missing_file_is_a_mistake(file: str, root: Path) -> None:
    """Without its levels a stack would silently be judged by the default ones."""
    (root / "policies" / file).unlink()
    with pytest.raises(SettingsError, match=f"policies/{file}:1: there is no such file"):
        bundle.load("dev", NAMES, root)


def test_a_file_that_is_no_text_is_a_mistake(root: Path) -> None:
    (root / "policies" / "levels.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="cannot be read"):
        bundle.load("dev", NAMES, root)


@pytest.mark.parametrize("stack", sorted(bundle.stacks()))
def test_the_committed_settings_are_valid(stack: str) -> None:
    bundle.load(stack, NAMES)
