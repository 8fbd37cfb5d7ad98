"""What looks like a secret: by its name, or by its own form. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

# A private key, a password in a URL, and the forms of well-known tokens.
SECRET_VALUE = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|://[^/\s:@]*:[^/\s@]+@"
    r"|\bgh[pousr]_\w{4,}|\bgithub_pat_\w{4,}|\bglpat-[\w-]{8,}|\bxox[abeprs]-[\w-]{8,}|\bhf_[A-Za-z0-9]{16,}"
    r"|\bnpm_[A-Za-z0-9]{20,}|\bpypi-[\w-]{20,}|\bsk-[\w-]{20,}|\bsk_live_\w{8,}|\bAIza[\w-]{30,}|\bdckr_pat_\w{8,}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\beyJ[\w-]{8,}\.eyJ[\w-]{8,}|\bAGE-SECRET-KEY-1|\bpul-[0-9a-f]{32,}"
    r"|[Aa]uthorization: *(?:[Bb]earer|[Bb]asic) +[\w.~+/-]{6,}"
)
# Within a word of the name; at its end; as the whole word. "TOKENIZERS" and "BYPASS" match none of them.
_WITHIN = re.compile(r"PASSWORD|PASSWD|PASSPHRASE|PASSCODE|SECRET|CREDENTIAL|APIKEY|ACCESSKEY|PRIVATEKEY")
_ENDING = re.compile(r"(?<!BY)(?<!COM)(?<!ASK)(?<!TRES)(?<!SUR)PASS$|TOKEN$|PASSWD$|(?<=[A-Z])(?<!OLD)PWD$")
_WHOLE = frozenset(
    {"PASS", "PWD", "PW", "TOKEN", "TOKENS", "PAT", "AUTH", "CREDS", "CRED", "PSK", "OTP", "JWT", "PIN"}
)
_TOGETHER = re.compile(
    r"(API|ACCESS|PRIVATE|SECRET|ENCRYPTION|SIGNING|MASTER|ACCOUNT|SSH|DEPLOY|SHARED|LICENSE|SERVICE|SAS|HMAC|AES|DES|"
    r"RSA|CRYPT|HOST|STORAGE|KMS)_KEYS?(_|$)|ROOT_USER|CONNECTION_STRING|(^|_)CONN_STR|(^|_)KEY$"
)
_NO_SECRET = re.compile(r"PUBLIC_?KEY|(^|_)PUB_KEY")
# Names of the place of a secret, and of how it is used, but not of the secret itself.
_PLACE = re.compile(r"_(FILE|FILES|PATH|DIR|FOLDER)$")
_USE = re.compile(
    r"_(MODE|TTL|TYPE|METHOD|ENABLED|DISABLED|REQUIRED|TIMEOUT|LENGTH|LIMIT|EXPIRY|LIFETIME|ALGORITHM|ISSUER|SIZE)$"
)
_COMMAND = re.compile(r"_(COMMAND|CMD|PROGRAM)$")
_COUNT = re.compile(r"(^|_)(MAX|MIN|NUM|COUNT|LIMIT|LENGTH|LEN|SIZE|PER|BUDGET|RATE|TOTAL)(_|$)")
_WORD_VALUES = frozenset({"true", "false", "yes", "no", "on", "off", "none", "null"})
_USE_VALUE = re.compile(r"[a-z][a-z-]{0,11}|\d{1,6}(ms|[smhdk])?", re.IGNORECASE)
_PATH_VALUE = re.compile(r"(~|\.{1,2})?/|[$%<{]|.*\.[a-z]{2,5}$")
_NO_NAMES = frozenset({"PWD", "OLDPWD"})


def is_secret(name: str, value: str | None) -> bool:
    """Whether a setting with this name, in any case and with hyphens or underscores, holds a secret.

    `value` is None where it is supplied later, as for ARG: then the name alone decides.
    """
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    name = re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_")
    if value == "" or name in _NO_NAMES or not _is_named(name):
        return False
    if value is None:
        return not (_PLACE.search(name) or _USE.search(name) or _COUNT.search(name))
    if _PLACE.search(name):
        return _PATH_VALUE.match(value) is None
    if _COMMAND.search(name):
        return re.search(r"[ /]", value) is None
    return not _is_use(name, value)


def _is_use(name: str, value: str) -> bool:
    """Whether a value describes how a secret is used, or how many there may be."""
    if value.lower() in _WORD_VALUES:
        return True
    if _USE.search(name):
        return _USE_VALUE.fullmatch(value) is not None
    counted = _COUNT.search(name) or name.endswith("TOKENS")
    return bool(counted and re.fullmatch(r"[\d.,]+[kKmM]?", value))


def _is_named(name: str) -> bool:
    words = [word.rstrip("0123456789") for word in name.split("_")]
    if any(_WITHIN.search(word) or _ENDING.search(word) or word in _WHOLE for word in words):
        return True
    return _TOGETHER.search(name) is not None and _NO_SECRET.search(name) is None


def in_words(words: Sequence[str]) -> Iterator[int]:
    """Positions of command-line arguments that hold a secret, or name one and are followed by it.

    An argument may itself hold a whole command line, as after `sh -c`.
    """
    for position, argument in enumerate(words):
        parts = re.split(r"[\s\"';|&()]+", argument)
        following = words[position + 1] if position + 1 < len(words) else None
        inside = (*parts[1:], None if len(parts) > 1 else following)
        if SECRET_VALUE.search(argument) or any(
            _is_flag(part, after) for part, after in zip(parts, inside, strict=True)
        ):
            yield position


def _is_flag(word: str, following: str | None) -> bool:
    match = re.fullmatch(r"(--?)([A-Za-z][\w.-]*?)(?:=(.*))?|([A-Za-z_]\w*)=(.*)", word, re.DOTALL)
    if match is None:
        return False
    if match[4]:  # NAME=value, as before a command or after `env`.
        return is_secret(match[4], match[5])
    dashes, name, value = match[1], match[2], match[3]
    if value is not None:
        return is_secret(name, value) and not _is_key_file(name, value)
    if re.match(r"(no|disable|enable|skip|use|require|with|without)-", name) or len(name) == 1:
        return False
    if dashes == "-" and "-" not in name and not name.isupper() and not is_secret(name, None):
        return False
    # A flag at the end, or before another flag, has its value from elsewhere; its name still reveals it.
    value = following if following and not following.startswith("-") else None
    return is_secret(name, value) and not _is_key_file(name, value or "")


def _is_key_file(name: str, value: str) -> bool:
    """A key, unlike a password, is mostly given as the path of its file."""
    by_path = re.search(r"(key|token|secret|auth|credentials?|creds)$", name, re.IGNORECASE)
    return by_path is not None and re.match(r"(~|\.{1,2})?/\S", value) is not None
