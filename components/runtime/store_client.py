"""What a service needs to use the object store: its key, and the authority of a store outside the stack."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.planning.store_place import StorePlace
from components.runtime.files import Change, File


@dataclass(frozen=True)
class Client:
    """An S3 identity's access key id and secret key: both are secrets.

    `authority`: the certificates (PEM) by which an outside store is trusted; the stack's own is what all
    services trust anyway.
    """

    access_key: pulumi.Output[str]
    secret_key: pulumi.Output[str]
    authority: str | None = None

    def credentials_file(self, profile: str = "default") -> pulumi.Output[str]:
        """One section of the AWS tools' shared credentials file."""
        return pulumi.Output.format(
            "[{0}]\naws_access_key_id = {1}\naws_secret_access_key = {2}\n",
            profile,
            self.access_key,
            self.secret_key,
        )

    def credentials(self, place: StorePlace, on_change: Change) -> File:
        return File(path=place.credentials, content=self.credentials_file(), on_change=on_change)

    def trust(self, place: StorePlace) -> list[File]:
        """The authority of an outside store; nothing for the stack's own."""
        return [] if self.authority is None else [File(path=place.authority, content=self.authority)]
