"""Build files are read as an engine reads them: continued lines, comments, here-documents, line numbers."""

from __future__ import annotations

from components.image import IMAGES
from policies.buildfile import Instruction, build_files, parse
from policies.settings import ROOT


def test_an_instruction_has_its_first_line() -> None:
    assert parse("# syntax\n\nfrom scratch\nCOPY a /\n") == (
        Instruction("FROM", "scratch", 3),
        Instruction("COPY", "a /", 4),
    )


def test_a_continued_line_is_one_instruction() -> None:
    (run,) = parse("RUN one \\\n  # why\n\n && two \\\n && three")
    assert list(run.commands) == [("one",), ("two",), ("three",)]


def test_a_line_that_is_continued_at_the_end_of_the_file_ends_there() -> None:
    assert parse("RUN one \\")[0].arguments == "one"


def test_a_here_document_belongs_to_its_instruction() -> None:
    run, user = parse("RUN <<EOF\napt-get update\nsshd\nEOF\nUSER 1")
    assert [words[0] for words in run.commands][-2:] == ["apt-get", "sshd"]
    assert user == Instruction("USER", "1", 5)


def test_commands_begin_after_variables_and_options() -> None:
    (run,) = parse("RUN --mount=type=cache,target=/x A=1 B=2 pip install x; export C=3 | cat")
    assert list(run.commands) == [("pip", "install", "x"), ("export", "C=3"), ("cat",)]


def test_every_image_of_the_repository_is_read() -> None:
    names = {resource.name for resource in build_files(ROOT)}
    assert names == {f"images/{image}/Dockerfile" for image in IMAGES}
