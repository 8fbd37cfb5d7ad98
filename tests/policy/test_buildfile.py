"""Build files are parsed as an engine parses them; where engines differ is a fault, and hides nothing."""

from __future__ import annotations

import pytest

from components.planning.paths import ROOT
from components.runtime.image import IMAGES
from policies.buildfile import Instruction, build_files, parse


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


@pytest.mark.parametrize(
    "line",
    [
        "RUN <<EOF", "RUN cat <<EOF", "RUN cat <<-'EOF'", 'RUN <<"EOF" cat', "RUN python3 - <<E",
        "RUN cat 3<<E",
        "COPY <<EOF /etc/x", "ADD <<-E /x", "RUN echo $((1 <<20))", "RUN echo it's <<E", "RUN a;<<E",
        "RUN a\\\n<<E",
        "ONBUILD RUN cat <<E", "RUN --mount=type=cache,target=/x <<E", "RUN echo 1<<20",
    ],
)  # fmt: skip
def test_a_here_document_is_a_fault_and_hides_nothing(line: str) -> None:
    """Engines differ on where one ends: what follows is parsed as if there were none."""
    first, *_, last = parse(f"{line}\nUSER 0\nE\nEOF\nUSER 1")
    assert first.faults
    assert Instruction("USER", "0", line.count("\n") + 2) in parse(f"{line}\nUSER 0\nE\nEOF\nUSER 1")
    assert last.arguments == "1"


@pytest.mark.parametrize(
    "line",
    [
        "RUN echo $((1<<20)) > /x", "RUN echo $((1 << n))", "RUN bash -c 'cat <<<hello'", "RUN cat <<<hello",
        "RUN python3 -c 'print(1<<20)'", 'RUN python3 -c "print(1 <<20)"', "RUN echo '<<EOF'",
        'RUN ["echo", "<<EOF"]',
        "RUN echo \\<\\<E", "LABEL x='a << b'",
    ],
)  # fmt: skip
def test_a_shift_and_a_here_string_open_no_here_document(line: str) -> None:
    instruction, user = parse(f"{line}\nUSER 0")
    assert instruction.faults == ()
    assert user == Instruction("USER", "0", 2)


@pytest.mark.parametrize(
    ("text", "line", "fault"),
    [
        ("FROM", 1, "FROM has no arguments"),
        ("FROM scratch\nUSER", 2, "USER has no arguments"),
        ("FROM scratch\nRUNS x", 2, "'RUNS' is not an instruction"),
        ("FROM\u00a0scratch", 1, "is not an instruction"),
        ("FROM scratch\nRUN a\u2028USER 1", 2, "invisible"),
        ("FROM scratch\nRUN a\x0bb", 2, "invisible"),
        ("FROM scratch\nRUN a\rUSER 1", 2, "invisible"),
        ("# syntax=evil/frontend\nFROM scratch", 1, "directive"),
        ("# Escape = `\nFROM scratch", 1, "directive"),
        ("FROM scratch\nRUN a \\\\\nUSER 1", 2, "two backslashes"),
        ("FROM scratch\nRUN echo it's", 2, "a quote is not closed"),
        ('FROM scratch\nSHELL ["/usr/bin/python3", "-c"]', 2, "not a plain shell"),
        ("FROM scratch\nSHELL /bin/sh -c", 2, "not a plain shell"),
        ("FROM scratch\nONBUILD RUN true", 2, "images that are not known"),
    ],
)
def test_what_engines_may_read_otherwise_is_a_fault_of_its_line(text: str, line: int, fault: str) -> None:
    (found,) = (instruction for instruction in parse(text) if instruction.faults)
    assert found.line == line
    assert fault in found.faults[0]


@pytest.mark.parametrize(
    "text",
    [
        "FROM scratch\r\nRUN a \\\r\n && b\r\n", "\ufeffFROM scratch\n", "\tFROM\tscratch\n", "from scratch",
        "# a syntax = of its own\nFROM scratch", "FROM scratch\nRUN echo 'it''s' \"x\\\"y\" \\'",
        'FROM scratch\nSHELL ["/bin/bash", "-o", "pipefail", "-c"]', "FROM scratch\nRUN echo \u00e9",
        "FROM scratch\nRUN a \\ \t\n && b",
    ],
)  # fmt: skip
def test_what_every_engine_reads_alike_is_no_fault(text: str) -> None:
    instructions = parse(text)
    assert instructions[0].name == "FROM"
    assert instructions[0].arguments == "scratch"
    assert [instruction.faults for instruction in instructions] == [()] * len(instructions)


def test_a_mark_before_the_first_instruction_hides_it_not() -> None:
    assert parse("\ufeffFROM evil:1") == (Instruction("FROM", "evil:1", 1),)


def test_a_tab_parts_as_a_blank_does() -> None:
    assert parse("ADD\thttps://x\t/") == (Instruction("ADD", "https://x /", 1),)


def test_a_continued_word_is_one_word() -> None:
    (run,) = parse("RUN pi\\\np install x")
    assert list(run.commands) == [("pip", "install", "x")]


def test_a_directive_after_an_instruction_is_told_too() -> None:
    """Engines treat it as a comment there; it is never needed."""
    assert [i.name for i in parse("FROM scratch\n# escape=`")] == ["FROM", "#"]


def test_commands_begin_after_variables_and_options() -> None:
    (run,) = parse("RUN --mount=type=cache,target=/x A=1 B=2 pip install x; export C=3 | cat")
    assert list(run.commands) == [("pip", "install", "x"), ("export", "C=3"), ("cat",)]


def test_every_image_of_the_repository_is_read() -> None:
    names = {resource.name for resource in build_files(ROOT)}
    assert names == {f"images/{image}/Dockerfile" for image in IMAGES}


def test_what_an_onbuild_defers_is_an_instruction() -> None:
    (onbuild,) = parse("ONBUILD RUN pip install x")
    assert onbuild.deferred is not None
    assert list(onbuild.deferred.commands) == [("pip", "install", "x")]


def test_options_stand_before_the_arguments_and_hold_no_quotes() -> None:
    (copy,) = parse('COPY --from="a" --chown=1 x --y /')
    assert copy.options == ("--from=a", "--chown=1")
    assert copy.rest == "x --y /"
