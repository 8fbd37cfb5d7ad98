"""The tag changes with what is in the image, and with nothing else."""

from pathlib import Path

import pytest

from components.runtime.image import ImageError, context_digest, reference


@pytest.fixture
def context(tmp_path: Path) -> Path:
    folder = tmp_path / "web"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\n")
    return folder


def test_tag_is_stable(context: Path) -> None:
    assert context_digest(context) == context_digest(context)


def test_tag_follows_content(context: Path) -> None:
    before = context_digest(context)
    (context / "Dockerfile").write_text("FROM other\n")
    assert context_digest(context) != before


def test_tag_follows_names(context: Path) -> None:
    before = context_digest(context)
    (context / "extra").write_text("")
    assert context_digest(context) != before


def test_tag_follows_the_executable_bit(context: Path) -> None:
    before = context_digest(context)
    (context / "Dockerfile").chmod(0o755)
    assert context_digest(context) != before


def test_ca_bundle_of_the_host_does_not_count(context: Path) -> None:
    before = context_digest(context)
    (context / "ca-certificates.crt").write_text("host")
    assert context_digest(context) == before


def test_missing_context_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="make images"):
        reference("web", tmp_path)
