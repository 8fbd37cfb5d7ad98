"""What the suite knows of an S3 server: where it is, who may do what, and which buckets are there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

REGION = "us-east-1"


@dataclass(frozen=True)
class Identity:
    """An access key id and its secret."""

    id: str
    secret: str


@dataclass(frozen=True)
class Server:
    """`writer` writes to and deletes from `versioned` and `plain`, and reads `foreign`; `reader` reads all.

    In `locked`, where there is such a bucket, `writer` removes versions too, unless a lock holds them.
    `known` are ids that somebody without any secret may guess or have seen. Not every server
    `keeps_alive` what it should: where it does not, each request has a connection of its own.
    """

    name: str
    endpoint: str
    ca_file: str
    root: Identity
    writer: Identity
    reader: Identity
    versioned: str
    plain: str
    foreign: str
    known: tuple[str, ...]
    keeps_alive: bool = True
    locked: str = ""

    def client(self, who: Identity, **config: Any) -> Any:
        """boto3 as it is by itself, with checksums in a trailer; bucket names in the path."""
        settings = Config(
            s3={"addressing_style": "path"},
            signature_version="s3v4",
            retries={"total_max_attempts": 2},
            connect_timeout=5,
            read_timeout=30,
            **config,
        )
        client = boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=who.id,
            aws_secret_access_key=who.secret,
            region_name=REGION,
            verify=self.ca_file,
            config=settings,
        )
        if not self.keeps_alive:
            # Ends the connections that are idle; the client goes on with a new one.
            client.meta.events.register("before-send.s3", lambda **_: client.close())
        return client
