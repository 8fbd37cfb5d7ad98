"""Shell text is split into commands as a shell splits it; no spelling of a program hides it."""

from __future__ import annotations

import pytest

from policies.shell import Command, commands, words


@pytest.mark.parametrize(
    "text",
    [
        "pip install x", "  pip   install\tx", "true && pip install x", "true;pip install x",
        "true|pip install x",
        "false || pip install x", "sleep 1 & pip install x", "a\npip install x", "(pip install x)",
        "( cd / ; pip install x )", "{ pip install x; }", "if true; then pip install x; fi",
        "if false; then a; elif b; then c; else pip install x; fi", "while true; do pip install x; done",
        "for i in 1 2; do pip install x; done", "case $a in b) pip install x;; esac", "! pip install x",
        "A=1 pip install x", "A='1 2' B=\"3 4\" pip install x", "pip 'install' \"x\"", "p'i'p install x",
        "p\\ip install x", "pip install x >/dev/null 2>&1", ">/dev/null pip install x", "2>&1 pip install x",
        "echo $(pip install x)", 'echo "$(pip install x)"', "echo `pip install x`", 'echo "`pip install x`"',
        "a=$(pip install x)", "cat <(pip install x)", "sh -c 'pip install x'", 'bash -lc "pip install x"',
        "env A=1 sh -c 'pip install x'", "eval 'pip install x'", "eval pip install x",
        "f() { pip install x; }; f",
        "echo $(echo $(pip install x))", "sh -c 'sh -c \"pip install x\"'", "true # c\npip install x",
        "echo a#b; pip install x", "exec 3>&1; pip install x", "a &>/dev/null; pip install x",
        "time pip install x",
    ],
)  # fmt: skip
def test_a_command_is_found_in_every_spelling(text: str) -> None:
    views = {view.words for command in commands(text) for view in command.views}
    assert ("pip", "install", "x") in views


@pytest.mark.parametrize(
    "wrapper",
    ["env",
    "env A=1", "sudo -E", "nice -n 5", "timeout 60", "xargs -n1", "nohup", "exec", "command", "chroot /x",
     "/usr/bin/env -i", "setpriv --reuid 1", "find . -exec", "time -p", "busybox"],
)  # fmt: skip
def test_a_program_that_runs_another_hides_it_not(wrapper: str) -> None:
    assert any(v.program == "pip" for c in commands(f"{wrapper} pip install x") for v in c.views)


@pytest.mark.parametrize(
    "text",
    ["echo 'pip install x'", "true # pip install x", 'echo "a; pip install x"', "echo a\\;pip install x"],
)
def test_a_text_is_no_command(text: str) -> None:
    assert [command.program for command in commands(text)] == [text.split(maxsplit=1)[0]]


@pytest.mark.parametrize("text",
["$pip install x", "${p} install x", "$(which pip) install x", "pi? install x",
                                  "`which pip` install", "$'pip' install x"])  # fmt: skip
def test_a_program_that_only_a_shell_could_name_is_opaque(text: str) -> None:
    assert commands(text)[0].opaque


@pytest.mark.parametrize("text", ["[ -e /x ]", "[[ a == b* ]]", "pip install $x", "echo *"])
def test_a_program_with_a_name_is_not_opaque(text: str) -> None:
    assert not commands(text)[0].opaque


def test_what_follows_a_command_and_what_leads_into_it_is_known() -> None:
    assert commands("a | b && c; d") == (
        Command(("a",), "|"), Command(("b",), "&&", piped=True), Command(("c",), ";"), Command(("d",)),
    )  # fmt: skip


def test_variables_before_a_program_are_kept() -> None:
    assert commands("A=1 B='x y' c") == (Command(("c",), assignments=("A=1", "B=x y")),)


def test_words_lose_their_quotes_and_keep_their_blanks() -> None:
    assert words("A='x y' \"B\"=z c\\ d") == ("A=x y", "B=z", "c d")


@pytest.mark.parametrize(
    "text", ["'", '"', "`", "$(", "$((", "\\", "a 'b", 'a "$(', "a `b", "<", ">", "2>", "<(", "((", "}"]
)
def test_a_text_that_breaks_off_is_read_to_its_end(text: str) -> None:
    commands(text)
