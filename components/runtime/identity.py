"""Secrets as Pulumi Outputs: the pure derivations of `secrets` and `pki`, secret all the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pulumi

from components.planning import pki, secrets
from components.planning.rotation import Generations


@dataclass(frozen=True)
class Identity:
    """A stack's seed and generations, and everything that is derived from them."""

    stack: str
    seed: pulumi.Output[str]
    generations: Generations

    def password(self, name: str) -> pulumi.Output[str]:
        return self.seed.apply(lambda seed: secrets.password(seed, name, self.generations.of(name)))

    def access_key(self, name: str) -> pulumi.Output[str]:
        """The id that belongs to the password `name`, and is rotated with it."""
        return self.seed.apply(lambda seed: secrets.access_key(seed, name, self.generations.of(name)))

    def password_before(self, name: str) -> pulumi.Output[str]:
        """The password before the last rotation; without a rotation, the current one."""
        return self.seed.apply(lambda seed: secrets.password(seed, name, self.generations.before(name)))

    def key(self, name: str, length: int = 32) -> pulumi.Output[bytes]:
        return self.seed.apply(lambda seed: secrets.derive(seed, name, length))

    def htpasswd(self, user: str, name: str) -> pulumi.Output[str]:
        line = pulumi.Output.all(self.seed, self.password(name))
        return line.apply(lambda values: secrets.bcrypt_entry(values[0], user, values[1]) + "\n")

    def authority(self) -> pulumi.Output[str]:
        """The CA certificates to trust: public, so not secret."""
        pem = self.seed.apply(lambda seed: pki.trusted(seed, self.stack, self.generations))
        return pulumi.Output.unsecret(pem)

    def pem(
        self, service: str, names: tuple[str, ...], part: Callable[[pki.Certificate], str]
    ) -> pulumi.Output[str]:
        """One text of a service's certificate, chosen by `part`."""
        return self.seed.apply(
            lambda seed: part(pki.leaf(seed, self.stack, self.generations, service, names))
        )

    def fingerprint(self, contents: list[pulumi.Input[str]]) -> pulumi.Output[str]:
        """A public digest of secret contents; keyed, so that it reveals nothing about them."""
        joined = pulumi.Output.all(self.seed, *contents)
        digest = joined.apply(lambda values: secrets.fingerprint(values[0], "\0".join(values[1:])))
        return pulumi.Output.unsecret(digest)
