"""The object store of a stack without TLS and encryption: same image, nodes, limits and erasure code."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from components.planning.flows import MINIO
from operations.measuring.throwaway import Throwaway

NODE = "plain-"


class PlainStore:
    """`urls` are its nodes; `client` is a container beside them in whose network a client can run."""

    def __init__(self, throwaway: Throwaway, like: Mapping[str, Any], nodes: int) -> None:
        network = throwaway.network()
        self.keys = {"access_key": secrets.token_hex(10), "secret_key": secrets.token_hex(20)}
        peers = f"http://{NODE}{{1...{nodes}}}:{MINIO}/data/drive"
        names = []
        for number in range(1, nodes + 1):
            part = f"{NODE}{number}"
            names.append(
                throwaway.start(
                    part,
                    like,
                    ["minio", "server", "--address", f":{MINIO}", peers],
                    volumes={throwaway.volume(part): "/data"},
                    environment={
                        "MINIO_ROOT_USER_FILE": "/data/root-user",
                        "MINIO_ROOT_PASSWORD_FILE": "/data/root-password",
                        "MINIO_BROWSER": "off",
                        "MINIO_UPDATE": "off",
                    },
                    network=network,
                    files={
                        "/data/root-user": self.keys["access_key"],
                        "/data/root-password": self.keys["secret_key"],
                    },
                )
            )
        self.client = throwaway.start("client", like, ["sleep", "infinity"], volumes={}, network=network)
        self.urls = [f"http://{throwaway.address(name)}:{MINIO}" for name in names]
