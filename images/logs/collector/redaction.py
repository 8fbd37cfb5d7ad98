"""Takes secrets out of lines before they are stored. Pure, but for what it remembers of private keys.

No pattern repeats within a repetition: the time grows with the length of the line alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable

GONE = "[redacted]"
# Lines of a key that are left out at most: what lacks its end must not hide all that follows.
KEY_LINES = 200
KEY = r"[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?"
BEGIN, END = re.compile(f"-----BEGIN {KEY}"), re.compile(f"-----END {KEY}")
NAME = (
    r"(?:pass(?:word|wd|phrase)?|pwd|secret(?:[_-]?(?:access)?[_-]?key)?"
    r"|(?:(?:access|refresh|auth|id|session|security|csrf|bearer)[_-]?)?token"
    r"|api[_-]?key|access[_-]?key(?:[_-]?id)?|private[_-]?key|credentials?)"
)
# Before a value: name=value, name: value, "name": "value", name => value.
IS = r"[\"'\\]{0,3}\s{0,4}(?:=>|[=:])\s{0,4}"
VALUE = r"(?:\\?\"[^\"]{1,}\"?|'[^']{1,}'?|[^\s,;&\"'(){}\[\]]{1,})"
TO_THE_END = r"[\[(]?[\"']?[^\"'\r\n]{1,}"


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


def _header(found: re.Match[str]) -> str:
    return found[1] + (f"{found[2]} " if found[2] else "") + GONE


def _random(found: re.Match[str]) -> str:
    """GONE for what looks like a key: capitals, small letters and digits; a digest or a path is none."""
    text = found[0]
    mixed = all(re.search(kind, text) for kind in ("[A-Z]", "[a-z]", "[0-9]"))
    return GONE if mixed and text.count("/") * 16 <= len(text) else text


PATTERNS: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    # A key within one line, as JSON has it.
    (re.compile(f"-----BEGIN {KEY}.*?(?:-----END {KEY}-----|$)"), f"-----PRIVATE KEY {GONE}-----"),
    # Headers, to the end of the line or of the quoted text.
    (
        _pattern(
            r"(\b(?:proxy-)?authorization\b" + IS + r"[\[(]?[\"']?)"
            r"(?:(basic|bearer|digest|negotiate|token|aws4-hmac-sha256)\s{1,4})?[^\"'\r\n]{1,}"
        ),
        _header,
    ),
    (_pattern(r"(\b(?:set-)?cookie2?\b" + IS + ")" + TO_THE_END), rf"\1{GONE}"),
    # user:password@host
    (_pattern(r"(\b[a-z][a-z0-9+.-]{0,20}://)[^\s/?#@\"'<>]{0,256}:[^\s/\"'<>]{0,512}@"), rf"\1{GONE}@"),
    (_pattern(r"\b(basic|bearer)\s{1,4}[a-z0-9._~+/=-]{8,}"), rf"\1 {GONE}"),
    (_pattern(r"(X-Amz-(?:Signature|Credential|Security-Token)=)[^&\s\"']{1,}"), rf"\1{GONE}"),
    (_pattern(rf"({NAME}{IS}){VALUE}"), rf"\1{GONE}"),
    # --password value, and PostgreSQL's PASSWORD 'value'
    (_pattern(rf"(--(?:[a-z]{{1,20}}-)?{NAME}\s{{1,4}})[^\s-]\S{{0,}}"), rf"\1{GONE}"),
    (_pattern(r"(\bpassword\s{1,4}E?')[^']{1,}"), rf"\1{GONE}"),
    # What shows by itself what it is: keys of AWS, tokens of logins, of code hosts and of model hubs.
    (re.compile(r"\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{12,}"), GONE),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]{0,})?"), GONE),
    (re.compile(r"\b(?:gh[pousr]_|github_pat_|glpat-|hf_|sk-|xox[abprs]-)[A-Za-z0-9_-]{16,}"), GONE),
    (re.compile(r"(?<![A-Za-z0-9+/_=-])[A-Za-z0-9+/_-]{40,}={0,2}(?![A-Za-z0-9+/_=-])"), _random),
)


def redact(text: str) -> str:
    """The line without what looks like a secret."""
    for pattern, instead in PATTERNS:
        text = pattern.sub(instead, text)
    return text


class Redactor:
    """The lines of one output of one service; a private key may take many of them."""

    def __init__(self) -> None:
        self._left = 0

    def line(self, text: str) -> str | None:
        """The line without secrets; None where nothing of it is to be kept."""
        if self._left:
            self._left -= 1
            if END.search(text):
                self._left = 0
            return None
        begins = [found.end() for found in BEGIN.finditer(text)]
        if begins and not END.search(text, begins[-1]):
            self._left = KEY_LINES
        return redact(text)
