"""An S3 store outside the stack, in place of its own: what the YAML says of it, and its keys. Pure."""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from components.planning.buckets import IDENTITIES
from components.planning.fields import Model, once
from components.planning.issues import Issue

HTTPS = 443
# What the restore may write with, where the file has it; no service of the stack gets it.
RESTORE = "restore"
ID, KEY = "aws_access_key_id", "aws_secret_access_key"
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
HOST = re.compile(rf"({_LABEL}\.)+[a-z]([a-z0-9-]{{0,61}}[a-z0-9])?")
# Neither a line break, which would begin a new setting in a file, nor what no server gives out.
_TOKEN = re.compile(r"[\x21-\x7e]{3,256}")
ENDPOINT_FIX = "write https://, a name of DNS and perhaps a port, for example https://name.example.org:9000"


def _endpoint(value: str) -> str:
    if not value.isascii() or not value.isprintable() or " " in value:
        # The parser would leave some of it out.
        raise ValueError(f"{value!r:.100} is not an address")
    try:
        parts, port = urlsplit(value), urlsplit(value).port
    except ValueError:
        raise ValueError(f"{value!r:.100} is not an address") from None
    if parts.scheme != "https":
        raise ValueError(f"{value!r:.100} does not begin with https://: keys and data need TLS")
    if parts.username or parts.password or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("holds more than a name and a port")
    host = parts.hostname or ""
    if len(host) > 253 or not HOST.fullmatch(host):
        raise ValueError(f"{host!r:.100} is not a full name of DNS, which the server's certificate is for")
    if port == 0:
        raise ValueError("0 is not a port")
    return f"https://{host}:{port or HTTPS}"


def _address(value: object) -> object:
    if not isinstance(value, str | IPv4Address):
        raise ValueError(f"{value!r:.60} is not an IPv4 address")
    return value


def _of_another_host(value: IPv4Address) -> IPv4Address:
    # 169.254.169.254 hands out a cloud machine's own keys.
    unfit = value.is_loopback or value.is_link_local or value.is_multicast or value.is_reserved
    if unfit or value in IPv4Network("0.0.0.0/8"):
        raise ValueError(f"{value} is not an address that another host can have")
    return value


def _region(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9-]{1,64}", value):
        raise ValueError(f"{value!r:.80} may contain only lower-case letters, digits and hyphens")
    return value


def _path(value: str) -> str:
    if not value.strip() or "\0" in value:
        raise ValueError("is not the path of a file")
    return value


Endpoint = Annotated[str, Field(strict=True), AfterValidator(_endpoint)]
OtherHost = Annotated[IPv4Address, BeforeValidator(_address), AfterValidator(_of_another_host)]
Addresses = Annotated[tuple[OtherHost, ...], Field(min_length=1, max_length=16), AfterValidator(once)]
PathText = Annotated[str, Field(strict=True), AfterValidator(_path)]


class External(Model):
    """An S3 store that somebody else runs, in place of the nodes: nothing is made or changed there."""

    endpoint: Endpoint
    """`https://name:port`; the store's certificate has to be for this name. Without a port it is 443."""
    addresses: Addresses
    """The IPv4 addresses of that name. Only they are let through the firewall: no name is resolved there."""
    region: Annotated[str, Field(strict=True), AfterValidator(_region)] = "us-east-1"
    """What signatures name as the region."""
    ca: PathText = "/etc/ssl/certs/ca-certificates.crt"
    """A PEM file with the authorities to trust, by default those of this machine."""
    credentials: PathText = ".aidc/object-store.ini"
    """A file for its owner alone (0600): id and key of each identity, in the form of the AWS tools."""

    @property
    def host(self) -> str:
        return urlsplit(self.endpoint).hostname or ""

    @property
    def port(self) -> int:
        return urlsplit(self.endpoint).port or HTTPS


@dataclass(frozen=True)
class KeyPair:
    """Access key id and secret key of an identity: both are secrets."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)


def issues(external: External | None, networks: Iterable[IPv4Network], path: str) -> Iterator[Issue]:
    """Mistakes that need more than one key. `networks` are the stack's own."""
    if external is None:
        return
    own = list(networks)
    for index, address in enumerate(external.addresses):
        if any(address in network for network in own):
            fault = f"{address} is in a network of the stack itself"
            yield Issue(f"{path}.addresses[{index}]", fault, "write the address of the outside store")


def read_credentials(text: str, path: str) -> tuple[dict[str, KeyPair], list[Issue]]:
    """The key pair of each identity, and every mistake. No value is ever part of an issue."""
    parser = configparser.ConfigParser(interpolation=None, default_section="", strict=True)
    fix = f"write a section for each of {', '.join(IDENTITIES)}: [compute], then {ID} = … and {KEY} = …"
    try:
        parser.read_string(text)
    except configparser.Error as error:
        line = getattr(error, "lineno", None) or next((n for n, _ in getattr(error, "errors", ())), None)
        where = f"line {line}: " if line else ""
        return {}, [Issue(path, f"{where}is not in the form of the AWS tools' file", fix)]
    found: dict[str, KeyPair] = {}
    mistakes = [Issue(path, f"has no section [{name}]", fix) for name in IDENTITIES if name not in parser]
    for name in parser.sections():
        if name not in (*IDENTITIES, RESTORE):
            mistakes.append(Issue(path, f"[{name:.40}] is not an identity", fix))
            continue
        section: Mapping[str, str] = parser[name]
        unknown = sorted(set(section) - {ID, KEY})
        mistakes += [Issue(path, f"[{name}] has an unknown key {key:.40}", "remove it") for key in unknown]
        wrong = [key for key in (ID, KEY) if not _TOKEN.fullmatch(section.get(key, ""))]
        mistakes += [Issue(path, f"[{name}] has no usable {key}", fix) for key in wrong]
        if not wrong:
            found[name] = KeyPair(section[ID], section[KEY])
    return found, mistakes + list(_shared(found, path))


def _shared(found: Mapping[str, KeyPair], path: str) -> Iterator[Issue]:
    """One key for two identities would give each of them all that the other may do."""
    owners: dict[str, str] = {}
    for name, pair in found.items():
        other = owners.setdefault(pair.access_key, name)
        if other != name:
            fix = "have the store make an identity of its own for each"
            yield Issue(path, f"[{name}] and [{other}] have the same {ID}", fix)
