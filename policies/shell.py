"""Shell text split into simple commands, as a shell splits it. Pure.

Variables are not expanded, and functions and scripts are not followed: rules refuse a program that they
cannot name (`Command.opaque`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh", "busybox"})
# Programs that run another program from their arguments. Any later word may be that program.
WRAPPERS = SHELLS | {
    "busybox", "chroot", "chrt", "command", "builtin", "coproc", "doas", "env", "eval", "exec", "fakeroot",
    "find", "flock", "gosu", "ionice", "nice", "nohup", "nsenter", "parallel", "runuser", "script", "setarch",
    "setpriv", "setsid", "stdbuf", "strace", "su", "sudo", "taskset", "time", "timeout", "trap", "unshare",
    "watch", "xargs",
}  # fmt: skip
RESERVED = frozenset(["!", "{", "}", "if", "then", "elif", "else", "fi", "while", "until", "do", "done"])
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*(\[[^\]]*\])?\+?=.*", re.DOTALL)
_OPERATOR = re.compile(r"&&|\|\||;;&?|;&|\|&|[|&;\n()]")
_REDIRECTION = re.compile(r"\d*(<<<|<<-?|<>|<&|>&|>>|>\||>|<)(?!\()|&>>?")
_PLAIN = re.compile(r"[^ \t\r\n\\'\"`$|&;()<>]+")


@dataclass(frozen=True)
class Command:
    """A simple command: `words` from its program on, `after` the operator that follows.

    `piped`: a pipe leads into it. `assignments` are the variables set before the program, as `NAME=value`.
    """

    words: tuple[str, ...]
    after: str = ""
    piped: bool = False
    assignments: tuple[str, ...] = ()

    @property
    def program(self) -> str:
        """The program's name without its folder; empty where there are only assignments."""
        return self.words[0].rpartition("/")[2] if self.words else ""

    @property
    def opaque(self) -> bool:
        """Whether the program's name contains a variable or a pattern, so that only a shell could tell it."""
        first = self.words[0] if self.words else ""
        return first not in ("[", "[[") and re.search(r"[$`*?\[{]", first) is not None

    @property
    def views(self) -> Iterator[Command]:
        """The command and, below a program that runs another, each command that its words may be."""
        yield self
        if self.program in WRAPPERS:
            for start in range(1, len(self.words)):
                yield replace(self, words=self.words[start:], piped=False)


def commands(text: str) -> tuple[Command, ...]:
    """All simple commands of a shell text, those in substitutions and in nested shells included."""
    nested: list[str] = []
    found = list(_simple(text, nested))
    for command in found:
        if any(view.program in WRAPPERS for view in command.views):
            nested += [word for word in command.words[1:] if re.search(r"[\s;|&$`]", word)]
            if command.program == "eval":
                nested.append(" ".join(command.words[1:]))
    return (*found, *(inner for part in nested if part != text for inner in commands(part)))


def words(text: str) -> tuple[str, ...]:
    """The words of a text without commands, such as the arguments of ENV; quotes are removed."""
    return tuple(token for token, operator in _tokens(text, []) if not operator)


def balanced(text: str) -> bool:
    """Whether every quote of a shell text is closed."""
    return re.fullmatch(r"(?:[^\\'\"]|\\.|'[^']*'|\"(?:[^\"\\]|\\.)*\")*+", text, re.DOTALL) is not None


def here_documents(text: str) -> bool:
    """Whether `<<` may open a here-document: outside quotes, `$((…))` and `<<<`.

    An engine sees one wherever a word begins with `<<` and more text, even in arithmetic.
    """
    bare = re.sub(r"\\.|'[^']*'|\"(?:[^\"\\]|\\.)*\"", "''", text, flags=re.DOTALL)
    if re.search(r"(^|\s)\d*<<-?[^\s<]", bare):
        return True
    bare = re.sub(r"\$\(\(.*?\)\)", "", bare, flags=re.DOTALL)
    return re.search(r"(?<!<)<<(?!<)", bare) is not None


def _simple(text: str, nested: list[str]) -> Iterator[Command]:
    current: list[str] = []
    piped = False
    for token, operator in (*_tokens(text, nested), ("", True)):
        if not operator:
            current.append(token)
            continue
        command = _command(current, token, piped)
        if command.words or command.assignments:
            yield command
        current, piped = [], token in ("|", "|&") or (piped and not current and token in ("\n", "("))


def _command(found: list[str], after: str, piped: bool) -> Command:
    start = 0
    assigned: list[str] = []
    while start < len(found):
        if _ASSIGNMENT.fullmatch(found[start]):
            assigned.append(found[start])
        elif found[start] not in RESERVED:
            break
        start += 1
    return Command(tuple(found[start:]), after, piped, tuple(assigned))


def _tokens(text: str, nested: list[str]) -> list[tuple[str, bool]]:
    """Words and operators, as (text, is an operator). Command substitutions are added to `nested`."""
    found: list[tuple[str, bool]] = []
    position, target = 0, False
    while position < len(text):
        if text[position] in " \t\r" or text.startswith("\\\n", position):
            position += 2 if text[position] == "\\" else 1
        elif text[position] == "#":  # A comment, to the end of the line.
            end = text.find("\n", position)
            position = end if end >= 0 else len(text)
        elif match := _REDIRECTION.match(text, position):
            # Neither the operator nor the file after it is a word of the command.
            position, target = match.end(), True
        elif match := _OPERATOR.match(text, position):
            found.append((match[0], True))
            position, target = match.end(), False
        elif text[position] in "<>":  # Of <(…): its commands come between the parentheses.
            position += 1
        else:
            word, position = _word(text, position, nested)
            if not target:
                found.append((word, False))
            target = False
    return found


def _word(text: str, position: int, nested: list[str]) -> tuple[str, int]:
    """The word at `position`, without its quotes, and the position after it."""
    parts: list[str] = []
    while position < len(text):
        sign = text[position]
        if match := _PLAIN.match(text, position):
            parts.append(match[0])
            position = match.end()
        elif sign == "\\":
            parts.append(text[position + 1 : position + 2].replace("\n", ""))
            position += 2
        elif sign == "'":
            end = text.find("'", position + 1)
            end = end if end >= 0 else len(text)
            parts.append(text[position + 1 : end])
            position = end + 1
        elif sign == '"':
            inner, position = _quoted(text, position + 1, nested)
            parts.append(inner)
        elif sign in "$`":
            part, position = _substitution(text, position, nested)
            parts.append(part)
        else:
            break
    return "".join(parts), position


def _quoted(text: str, position: int, nested: list[str]) -> tuple[str, int]:
    """The content of double quotes that are already open, and the position after them."""
    parts: list[str] = []
    while position < len(text) and text[position] != '"':
        if text[position] == "\\":
            parts.append(text[position + 1 : position + 2])
            position += 2
        elif text[position] in "$`":
            part, position = _substitution(text, position, nested)
            parts.append(part)
        else:
            parts.append(text[position])
            position += 1
    return "".join(parts), position + 1


def _substitution(text: str, position: int, nested: list[str]) -> tuple[str, int]:
    """A placeholder for `$(…)` and backquotes, whose commands are added to `nested`; a plain `$` is kept."""
    if text[position] == "`":
        end = text.find("`", position + 1)
        end = end if end >= 0 else len(text)
        nested.append(text[position + 1 : end])
        return "`", end + 1
    if not text.startswith("$(", position):
        return "$", position + 1
    end, depth = position + 2, 1
    while end < len(text) and depth:
        if quoted := re.compile(r"\\.|'[^']*'|\"(?:[^\"\\]|\\.)*\"", re.DOTALL).match(text, end):
            end = quoted.end()
            continue
        depth += {"(": 1, ")": -1}.get(text[end], 0)
        end += 1
    nested.append(text[position + 2 : end - 1 if not depth else end])
    return "$()", end
