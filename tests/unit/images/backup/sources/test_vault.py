"""What is read back out of the vault, and what is said when it is another than was saved."""

from __future__ import annotations

from contextlib import nullcontext
from email.message import Message
from itertools import pairwise
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any
from urllib.error import HTTPError, URLError

import pytest

from images.backup.keeper.sources import vault
from images.backup.keeper.sources.vault import VaultError

ROOT = Path("/staging/snapshot")


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """The content of each file that restic puts back; a pattern that is no plain name finds nothing."""
    contents: dict[str, str] = {}

    def restic(*arguments: str, **_: Any) -> CompletedProcess[str]:
        target = Path(arguments[arguments.index("--target") + 1])
        for option, pattern in pairwise(arguments):
            name = pattern.replace("\\", "").lstrip("/")
            if option == "--include" and name in contents:
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                (target / name).write_text(contents[name])
        return CompletedProcess(arguments, 0, "", "")

    monkeypatch.setattr(vault, "restic", restic)
    return contents


def digests(tmp_path: Path, **contents: str) -> dict[str, str]:
    found = {}
    for name, content in contents.items():
        (tmp_path / name).write_text(content)
        found[name] = vault.digest_of(tmp_path / name)
    return found


def test_files_that_are_as_they_were_pass_and_leave_nothing(given: dict[str, str], tmp_path: Path) -> None:
    given.update(manifest="1", dump="2")
    scratch = tmp_path / "scratch"
    vault.compare("0123456789", ROOT, digests(tmp_path, manifest="1", dump="2"), scratch)
    assert not scratch.exists()


@pytest.mark.parametrize("other", ["3", None])
def test_each_file_that_is_another_or_missing_is_named(
    given: dict[str, str], tmp_path: Path, other: str | None
) -> None:
    given.update(manifest="1", **({"dump": other} if other else {}))
    scratch = tmp_path / "scratch"
    with pytest.raises(VaultError, match=r"snapshot 01234567 gives another dump than was saved"):
        vault.compare("0123456789", ROOT, digests(tmp_path, manifest="1", dump="2"), scratch)
    assert not scratch.exists()


def test_a_name_is_no_pattern() -> None:
    assert vault._literally(r"a*b?[c]\d") == r"a\*b\?\[c]\\d"


REPOSITORY = "rest:https://backup:secret@vault:8000/backup"


def asked(monkeypatch: pytest.MonkeyPatch, *answers: Exception | None) -> list[str]:
    """What the server is asked; it gives one answer after the other, the last one for ever."""
    said, left = list[str](), list(answers)

    def ask(repository: str, ca_file: str, path: str, method: str) -> Any:
        said.append(f"{method} {path}")
        if answer := left.pop(0) if len(left) > 1 else left[0]:
            raise answer
        return nullcontext()

    monkeypatch.setattr(vault, "_ask", ask)
    monkeypatch.setattr(vault, "EVERY", 0.0)
    return said


def test_a_vault_that_starts_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    said = asked(monkeypatch, URLError("refused"), URLError("refused"), None)
    vault.await_answer(REPOSITORY, "ca.crt")
    assert said == ["HEAD config"] * 3


def test_a_vault_that_refuses_has_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    said = asked(monkeypatch, HTTPError("", 404, "no repository yet", Message(), None))
    vault.await_answer(REPOSITORY, "ca.crt")
    assert len(said) == 1


def test_a_vault_that_is_away_is_named_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    asked(monkeypatch, URLError("[Errno 111] Connection refused"))
    with pytest.raises(VaultError, match=r"does not answer: .* Connection refused"):
        vault.await_answer(REPOSITORY, "ca.crt", within=0.0)
