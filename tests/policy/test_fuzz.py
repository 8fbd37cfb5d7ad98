"""Whatever valid lines come first, a later fault is found; and no text breaks the parser."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies import buildfile, shell
from policies.catalogue import RULES
from policies.evaluate import faults
from policies.model import Stack
from policies.rule import ResourceRule

EXAMPLES = 600
RULES_OF_BUILD_FILES = tuple(r for r in RULES if isinstance(r, ResourceRule) and "buildfile" in r.on)

WORD = st.sampled_from(
    ["a",
    "b-c", "/x/y", "'a b'", '"a b"', "'<<EOF'", '"<<E"', "$((1<<20))", "$((1 << n))", "$HOME", "'it''s'",
    '"\\""',
     "\\'", "\\\\a", "'#'", "a#b", "''", "--flag", "\u00e9", "$(true)", "`true`", "'$('", '"a;b"', "'|'"]
)  # fmt: skip
COMMAND = st.builds(
    lambda program, words, tail: " ".join([program, *words]) + tail,
    st.sampled_from(
        ["true", "echo", "rm -f", "test", "install -d", "A=1 true", "if true; then echo", "( echo"]
    ),
    st.lists(WORD, max_size=3),
    st.sampled_from(["", " <<<hello", " <<< 'a'", " >/x", " 2>&1", " </x"]),
).map(lambda text: text + ("; fi" if text.startswith("if") else " )" if text.startswith("(") else ""))
JOINT = st.sampled_from(
    [" && ", "; ", " || ", " | ", " \\\n && ", " \\  \n\n  # a comment \\\n ; ", " && \\\n# <<EOF\n"]
)


@st.composite
def runs(draw: st.DrawFn) -> str:
    """A RUN of some commands, with options and joints of every kind."""
    text: str = draw(
        st.sampled_from(["RUN ", "run ", "RUN\t", "RUN  --mount=type=cache,target=/x ", "Run \\\n "])
    )
    commands = draw(st.lists(COMMAND, min_size=1, max_size=4))
    for command in commands[:-1]:
        text += command + draw(JOINT)
    return f"{text}{commands[-1]}"


LINE = st.one_of(
    runs(),
    st.builds(lambda key, word: f"ENV {key}={word}", st.sampled_from(["A", "LANG", "X1"]), WORD),
    st.builds(lambda word: f"LABEL x={word}", WORD),
    st.builds(lambda word: f"COPY {word} /x", st.sampled_from(["a", "a b", '["a", "<<E"]', "--chown=1 a"])),
    st.sampled_from(
        ["",
        "  ", "\t", "# <<EOF", "#", "# a comment \\", "  # indented", "WORKDIR /x", "EXPOSE 80", "VOLUME /x",
         'RUN ["echo", "<<EOF"]', 'CMD ["a", "\\\\"]', "STOPSIGNAL TERM", "ARG A", "ARG A=1",
         "HEALTHCHECK NONE",
         "HEALTHCHECK --interval=5s \\\n CMD true", "RUN echo a \\", "# escape is no directive", "USER 7",
         "USER 7:7"]
    ),
)  # fmt: skip
ENDS = st.sampled_from(["\n", "\r\n"])
FAULTS = (
    ("image-user", "USER 0"),
    ("image-user", "USER 10001:0"),
    ("copy-not-add", "ADD https://evil /x"),
    ("copy-not-add", "\tadd\tx\t/"),
    ("no-build-secret", "ENV ADMIN_PASSWORD=hunter2"),
    ("base-allowlist", "FROM evil:1"),
    ("base-allowlist", "COPY --from=evil:1 /x /x"),
    ("verified-packages", "RUN pip install evil"),
    ("verified-packages", "RUN true && curl -O x"),
    ("minimal-packages", "RUN apt-get install x"),
    ("no-sshd", "RUN /usr/sbin/sshd"),
    ("plain-build-file", "RUN cat <<EOF"),
)


def broken(text: str) -> set[tuple[str, int]]:
    """Rules that find a fault, and its line; 0 for a fault without a line."""
    stack = Stack((buildfile.resource("images/x/Dockerfile", text),))
    found = (
        (rule.name, fault.text)
        for rule in RULES_OF_BUILD_FILES
        for fault, ok in faults(rule, stack)
        if not ok
    )
    return {
        (rule, int(text.split()[1].rstrip(":")) if text.startswith("line ") else 0) for rule, text in found
    }


def continued(line: str) -> str:
    """A line at the end of the first half may not reach into the second: then it would be another file."""
    return (
        line + "\n && true"
        if line.rstrip(" \t").endswith("\\") and not line.lstrip().startswith("#")
        else line
    )


@given(
    half=st.lists(LINE.map(continued), max_size=6),
    end=ENDS,
    mark=st.sampled_from(["", "\ufeff"]),
    data=st.data(),
)
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
def test_a_fault_after_any_first_half_is_found_at_its_line(
    half: list[str], end: str, mark: str, data: st.DataObject
) -> None:
    rule, fault = data.draw(st.sampled_from(FAULTS))
    first = "\n".join(["FROM debian:trixie-slim", *half])
    text = mark + f"{first}\n{fault}\nWORKDIR /".replace("\n", end)
    assert (rule, first.count("\n") + 2) in broken(text)


@given(half=st.lists(LINE.map(continued), max_size=6), end=ENDS)
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
def test_a_valid_file_breaks_no_rule(half: list[str], end: str) -> None:
    text = "\n".join(["FROM debian:trixie-slim", *half, "USER 10001"]).replace("\n", end)
    assert broken(text) == set()


@given(st.text(st.sampled_from("aE0 \t\r\n\\'\"`$(){}<>|&;#=-[],:\u00a0\u2028\x0b\x85\ufeff"), max_size=60))
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
def test_any_text_is_read_to_its_end(text: str) -> None:
    shell.commands(text)
    for prefix in ("", "RUN ", "ENV ", "COPY --from=", "FROM "):
        broken(prefix + text)


@given(st.text(max_size=40), st.text(max_size=40))
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
def test_what_comes_before_an_instruction_never_swallows_it(before: str, after: str) -> None:
    """Every line that ends with no backslash ends its instruction, whatever is in it."""
    line = before.replace("\n", " ").rstrip("\\ \t\r") + "."
    found = [i for i in buildfile.parse(f"FROM scratch\nRUN {line}\nUSER 0\n# {after}") if i.name == "USER"]
    assert [i.arguments for i in found][:1] == ["0"]


@pytest.mark.parametrize(("rule", "fault"), FAULTS)
def test_the_fault_is_found_alone(rule: str, fault: str) -> None:
    assert (rule, 2) in broken(f"FROM debian:trixie-slim\n{fault}")
