"""What a user names and is no file is refused before it blocks."""

from pathlib import Path

import pytest

from components.planning.issues import Issue
from components.runtime import outside_store, regular
from operations.commands import policy
from operations.jobs import layer
from operations.preflight.checks import passphrase
from operations.restoring import copied
from operations.stack.file import StackFile, read
from policies.settings import documents
from policies.sources import stacks
from tests.unit.odd_files import KINDS, odd_file

WORDS = ("no file", "MiB", "KiB")


def test_a_file_is_read_with_its_line_ends_as_one_sign(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes("ä\r\nb\rc\n".encode())
    assert regular.read_text(tmp_path / "file") == "ä\nb\nc\n"
    assert regular.read_text(tmp_path / "file", 8) == "ä\nb\nc\n"
    with pytest.raises(regular.NotRegularError, match="more than 0 KiB"):
        regular.read_text(tmp_path / "file", 7)


def test_a_file_that_grows_while_it_is_read_is_too_large() -> None:
    """Those of /proc say that they are empty."""
    with pytest.raises(regular.NotRegularError):
        regular.read_bytes(Path("/proc/self/status"), 10)


@pytest.mark.parametrize("kind", KINDS)
def test_every_file_that_a_user_names_is_refused_in_words(kind: str, tmp_path: Path) -> None:
    with odd_file(kind, tmp_path) as odd:
        (tmp_path / "Pulumi.dev.yaml").symlink_to(odd)
        (ca,) = outside_store.authority(odd, "ca")[1]
        (keys,) = outside_store._keys(odd)[1]
        (requirements,) = layer.read(None, str(odd))[1]
        environment = {"PULUMI_CONFIG_PASSPHRASE_FILE": str(odd)}
        (secret,) = passphrase(StackFile("dev", odd), f"file://{tmp_path}", environment).issues
        (stack,) = read("dev", tmp_path).issues
        waivers: list[Issue] = []
        documents.read(odd, waivers)
        with pytest.raises(stacks.SourceError) as planned:
            stacks.program("dev", tmp_path)
        with pytest.raises(stacks.SourceError) as state:
            policy.resources(policy.parser().parse_args(["--state", str(odd)]))
    found = [str(issue) for issue in (ca, keys, requirements, secret, stack, *waivers)]
    for text in (*found, str(planned.value), str(state.value)):
        assert any(word in text for word in WORDS), text
    assert ca.path == "ca"
    assert keys.path.endswith("object_store.external.credentials")


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "large"])
def test_what_is_no_file_in_a_copy_of_the_vault_is_damaged(kind: str, tmp_path: Path) -> None:
    with odd_file(kind, tmp_path) as odd:
        place = tmp_path / "copy" / "keys"
        place.mkdir(parents=True)
        (place / ("a" * 64)).symlink_to(odd)
        copy = copied.Copied(tmp_path / "copy")
        assert copy.damaged(lambda _: None) == [Path("keys", "a" * 64)]
        assert list(copy.files()) == []
