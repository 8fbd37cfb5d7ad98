"""Secrets are recognised by their names and forms; settings that only sound alike are not."""

from __future__ import annotations

import pytest

from policies.secret_names import SECRET_VALUE, in_words, is_secret


@pytest.mark.parametrize(
    "name",
    [
        "PASSWORD", "MYSQL_PWD", "PGPASSWORD", "SMTP_PASS", "DB_PASS1", "REDISCLI_AUTH", "GITHUB_PAT",
        "API_KEY",
        "apiKey", "aws_secret_access_key", "SSHPASS", "db-password", "TOKEN", "HF_TOKEN", "TOKENS",
        "SIGNING_KEY",
        "MINIO_ROOT_USER", "CONNECTION_STRING", "JWT", "PASSPHRASE", "CREDS", "spring.datasource.password",
    ],
)  # fmt: skip
def test_a_name_tells_a_secret(name: str) -> None:
    assert is_secret(name, "hunter2")
    assert is_secret(name, None)
    assert not is_secret(name, "")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TOKENIZERS_PARALLELISM", "false"), ("MAX_TOKENS", "512"), ("TOKENS", "512"), ("TOKEN_LIMIT", "4k"),
        ("PASSWORD_FILE", "/x"), ("SECRET_PATH", "$HOME/x"), ("RAY_AUTH_MODE", "token"), ("TOKEN_TTL", "10m"),
        ("USE_AUTH", "true"), ("PWD", "/x"), ("OLDPWD", "/x"), ("BYPASS", "1"), ("COMPASS", "n"),
        ("MONKEY", "x"),
        ("KEYBOARD", "us"), ("AUTHOR", "x"), ("PUBLIC_KEY", "x"), ("RESTIC_PASSWORD_COMMAND", "cat /x"),
        ("PATH", "/x"),
    ],
)  # fmt: skip
def test_a_name_that_sounds_alike_tells_none(name: str, value: str) -> None:
    assert not is_secret(name, value)


@pytest.mark.parametrize(("name", "value"), [("PASSWORD_FILE", "hunter2"), ("TOKEN_MODE", "hunter2"),
                                             ("MAX_TOKENS", "hunter2"), ("PASSWORD", "12345")])  # fmt: skip
def test_a_name_that_tells_a_place_or_a_number_excuses_nothing_else(name: str, value: str) -> None:
    assert is_secret(name, value)


@pytest.mark.parametrize(
    "value",
    [
        "ghp_hunter2", "github_pat_hunter2", "glpat-hunter2hunter2", "AKIA" + "A" * 16, "https://u:p@host/x",
        "-----BEGIN PRIVATE KEY-----", "-----BEGIN OPENSSH PRIVATE KEY-----", "hf_" + "a" * 20,
        "xoxb-hunter2hunter2",
        "Authorization: Bearer hunter2", "eyJhbGciOiJI.eyJzdWIiOiIx",
    ],
)  # fmt: skip
def test_a_secret_is_told_by_its_form(value: str) -> None:
    assert SECRET_VALUE.search(f"x {value}")


@pytest.mark.parametrize(
    "value", ["https://host:8443/x", "https://host/x@y", "-----BEGIN CERTIFICATE-----", "sk-1", "x"]
)
def test_other_text_is_no_secret(value: str) -> None:
    assert SECRET_VALUE.search(value) is None


@pytest.mark.parametrize(
    ("words", "positions"),
    [
        (["--password", "hunter2"], [0]), (["-pass", "hunter2"], [0]), (["a", "--api-key=hunter2"], [1]),
        (["sh", "-c", "a; b --token hunter2"], [2]), (["env", "TOKEN=hunter2"], [1]), (["--secret-key"], [0]),
        (["--password-file", "/x"], []), (["--no-auth"], []), (["--key", "/x"], []), (["--tls"], []),
        ([], []),
    ],
)  # fmt: skip
def test_arguments_that_hold_a_secret_are_found(words: list[str], positions: list[int]) -> None:
    assert list(in_words(words)) == positions
