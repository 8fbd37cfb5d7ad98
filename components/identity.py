"""Secrets as Pulumi Outputs: the pure derivations of `secrets` and `pki`, secret all the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import pulumi

from components import pki, secrets


@dataclass(frozen=True)
class Identity:
    """A stack's seed and issue date, and everything that is derived from them."""

    stack: str
    seed: pulumi.Output[str]
    issued: date

    def password(self, name: str) -> pulumi.Output[str]:
        return self.seed.apply(lambda seed: secrets.password(seed, name))

    def key(self, name: str, length: int = 32) -> pulumi.Output[bytes]:
        return self.seed.apply(lambda seed: secrets.derive(seed, name, length))

    def htpasswd(self, user: str, name: str) -> pulumi.Output[str]:
        return self.seed.apply(lambda s: secrets.bcrypt_entry(s, user, secrets.password(s, name)) + "\n")

    def authority(self) -> pulumi.Output[str]:
        """The CA certificate: public, so no secret."""
        pem = self.seed.apply(lambda seed: pki.authority(seed, self.stack, self.issued))
        return pulumi.Output.unsecret(pem)

    def certificate(self, service: str, names: tuple[str, ...]) -> pulumi.Output[pki.Certificate]:
        return self.seed.apply(lambda seed: pki.leaf(seed, self.stack, self.issued, service, names))

    def pem(
        self, service: str, names: tuple[str, ...], part: Callable[[pki.Certificate], str]
    ) -> pulumi.Output[str]:
        """One text of a service's certificate, chosen by `part`."""
        return self.seed.apply(lambda seed: part(pki.leaf(seed, self.stack, self.issued, service, names)))

    def fingerprint(self, contents: list[pulumi.Input[str]]) -> pulumi.Output[str]:
        """A public digest of secret contents; keyed, so that it tells nothing about them."""
        joined = pulumi.Output.all(self.seed, *contents)
        digest = joined.apply(lambda values: secrets.fingerprint(values[0], "\0".join(values[1:])))
        return pulumi.Output.unsecret(digest)
