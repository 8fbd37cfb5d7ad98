"""Where a notebook runs, and the command line of its server. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# The names of the files are those that the stack gives to its nodes (components/planning/notebook.py).
DIGEST, CERTIFICATE, KEY = "notebook-login.sha256", "notebook.crt", "notebook.key"
PORT = 8888
SHELL = "/bin/bash"
# On a volume of the node, so that what the store does not have yet outlasts the job.
WORK = Path("/var/lib/work")
# Keys in the object store begin with it.
PREFIX = "results/notebook/"


@dataclass(frozen=True)
class Place:
    """`files`: where certificate, key and the digest of the login are; `layer`: JupyterLab's packages."""

    address: str
    files: Path
    layer: Path

    @property
    def digest(self) -> Path:
        return self.files / DIGEST


def of(environment: Mapping[str, str], layer: Path) -> Place:
    """The place that the node's variables describe."""
    return Place(environment["AIDC_SERVICE_ADDRESS"], Path(environment["AIDC_FILES"]), layer)


def arguments(place: Place, folder: Path) -> list[str]:
    """JupyterLab's options: one address, TLS, our door, and nothing that asks the internet."""
    server = {
        "ip": place.address,
        "port": PORT,
        "port_retries": 0,
        "open_browser": False,
        "root_dir": folder,
        "certfile": place.files / CERTIFICATE,
        "keyfile": place.files / KEY,
        "identity_provider_class": "benchmark.jobs.notebook.door.Door",
        "allow_unauthenticated_access": False,
        # The header Host names the load balancer.
        "allow_remote_access": True,
        "trust_xheaders": True,
        # By itself a login shell, which sets PATH anew, without Python; Debian's prompt wants a user's name.
        "terminado_settings": f"{{'shell_command': ['{SHELL}', '--norc']}}",
        "log_level": "WARN",
    }
    lab = {
        "extension_manager": "readonly",
        "check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        "news_url": None,
        "log_level": "WARN",
    }
    return [
        f"--app-dir={place.layer}/share/jupyter/lab",
        # Kernels listen on sockets in the server's own folder, and at no port of the node.
        "--KernelManager.transport=ipc",
        *(f"--ServerApp.{name}={value}" for name, value in server.items()),
        *(f"--LabApp.{name}={value}" for name, value in lab.items()),
    ]


def variables(place: Place, scratch: Path) -> dict[str, str]:
    """Where Jupyter finds its parts, and may write."""
    return {
        "JUPYTER_PATH": f"{place.layer}/share/jupyter",
        "JUPYTER_CONFIG_PATH": f"{place.layer}/etc/jupyter",
        "JUPYTER_CONFIG_DIR": str(scratch / "config"),
        "JUPYTER_DATA_DIR": str(scratch / "data"),
        "JUPYTER_RUNTIME_DIR": str(scratch / "runtime"),
        "IPYTHONDIR": str(scratch / "ipython"),
        "MPLCONFIGDIR": str(scratch / "matplotlib"),
        # Of terminals.
        "SHELL": SHELL,
        "PS1": r"\h \w\$ ",
    }


def settings(scratch: Path) -> dict[Path, str]:
    """Files that JupyterLab reads: there is no internet from which news could come."""
    news = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}
    return {scratch / "config" / "labconfig" / "default_setting_overrides.json": json.dumps(news)}
