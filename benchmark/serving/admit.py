"""`python -m benchmark.serving.admit MODEL VERSION`: make a user's own model fit to be served.

Runs as a job on a compute node. The model comes from MLflow, with the login of jobs; nothing in it is
unpickled. Its signature is read, its graph is reduced to data (`benchmark.checkpoints.archive`), and it is
tried with one instance and several. What passed is written to the bucket `models` with a card, as the model
of a workload is, so that replicas, backups and drills know only one kind. Prints `@progress {"card", …}`, or
`@error`.
"""

# ruff: noqa: PLC0415  (MLflow exists in the stack only)
from __future__ import annotations

import hashlib
import json
import re
import resource
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from benchmark.checkpoints import exported, signature
from benchmark.checkpoints.archive import clean
from benchmark.checkpoints.artefact import card_digest, card_key
from benchmark.checkpoints.signature import OwnModel
from benchmark.core.documents import put_json
from benchmark.core.errors import BenchmarkError, CheckpointError, ConfigError, MlflowError
from benchmark.core.store import Store, open_store
from benchmark.serving.settings import MODEL_NAME

GRAPH = "data/model.pt2"
MOST_BYTES = 1 << 30
WANTED = {PurePosixPath("MLmodel"): 1 << 20, PurePosixPath(GRAPH): MOST_BYTES}
# Others lead out of MLflow: to files of this node, or to any server.
SOURCE = re.compile(r"(?:models|runs|mlflow-artifacts):/[^/].*")
HOW = "fix: log it with mlflow.pytorch.log_model(model, name=…, input_example=…)"


def main(name: str, version: str) -> int:
    try:
        with tempfile.TemporaryDirectory() as folder:
            card = admit(open_store("s3://"), name, version, download(name, version, Path(folder)))
    except BenchmarkError as error:
        print("@error " + json.dumps({"type": type(error).__name__, "message": str(error)}), flush=True)
        return 1
    told = {"card": card_key(card), "sha256": card["sha256"], "card_sha256": card_digest(card)}
    print("@progress " + json.dumps(told), flush=True)
    return 0


def download(name: str, version: str, folder: Path) -> Path:
    """The two files of the version that are read. MlflowError where they cannot be had, CheckpointError where
    they are too large or the version's source is not MLflow's own."""
    from mlflow import MlflowClient
    from mlflow.artifacts import download_artifacts, list_artifacts
    from mlflow.exceptions import MlflowException

    uri = f"models:/{name}/{version}"
    try:
        client = MlflowClient()
        own(uri, client.get_model_version(name, version).source)
        own(uri, client.get_model_version_download_uri(name, version))
        for path, most in WANTED.items():
            above = path.parent.as_posix()
            at = uri if above == "." else f"{uri}/{above}"
            if fits(f"{uri}/{path}", list_artifacts(at), most):
                with files_up_to(most):
                    download_artifacts(artifact_uri=f"{uri}/{path}", dst_path=str(folder))
    except (MlflowException, OSError) as error:
        raise MlflowError(f"{uri}: cannot be fetched: {error!s:.300}") from error
    return folder


def own(uri: str, source: str) -> None:
    """CheckpointError if the version's files are not among MLflow's artefacts."""
    if not SOURCE.fullmatch(str(source)):
        raise CheckpointError(f"{uri}: its source {source!s:.120} is not in MLflow; {HOW}")


def fits(where: str, listed: Iterable[Any], most: int) -> bool:
    """Whether the file is there. CheckpointError: it is too large, of unknown size, or a folder too."""
    found = [f for f in listed if PurePosixPath(f.path).name == PurePosixPath(where).name]
    for entry in found:
        if entry.is_dir or entry.file_size is None:
            raise CheckpointError(f"{where}: is not one file of a known size")
        if entry.file_size > most:
            raise CheckpointError(f"{where}: {entry.file_size} bytes, at most {most} are served")
    return bool(found)


@contextmanager
def files_up_to(most: int) -> Iterator[None]:
    """No file grows beyond this, whatever a listing said: /tmp is memory. OSError where one would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard)
    )
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def admit(store: Store, name: str, version: str, folder: Path) -> dict[str, Any]:
    """Check and try the model in a folder as MLflow writes it; its card, which is in the store then."""
    where = f"{name} version {version}"
    if not MODEL_NAME.fullmatch(name):
        raise ConfigError([f"{name!r:.80}: a served model's name has up to 63 of a-z, 0-9, '.', '_', '-'"])
    described = description(folder, where)
    path = folder / GRAPH
    if not path.is_file():
        raise CheckpointError(f"{where}: {GRAPH}: is not there: pickled models are not served; {HOW}")
    data = clean(path.read_bytes(), f"{where}: {GRAPH}")
    model = {"kind": "exported", **signature.of_mlflow(described.get("signature"), where)}
    seconds = tried(data, OwnModel.model_validate(model), where)
    sha256 = hashlib.sha256(data).hexdigest()
    prefix = f"models/{name}/own/{sha256[:32]}"
    card: dict[str, Any] = {
        "schema": "aidc.model/1",
        "workload": name,
        "key": f"{prefix}/model.pt2",
        "sha256": sha256,
        "bytes": len(data),
        "model": {**model, "seconds": seconds},
    }
    store.put(card["key"], data)
    put_json(store, card_key(card), card)
    return card


def description(folder: Path, where: str) -> Mapping[str, Any]:
    """MLflow's own file about the model."""
    import yaml

    try:
        found = yaml.safe_load((folder / "MLmodel").read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise CheckpointError(f"{where}: MLmodel: cannot be read: {error!s:.200}; {HOW}") from error
    if not isinstance(found, dict):
        raise CheckpointError(f"{where}: MLmodel: is not as MLflow writes it; {HOW}")
    return found


def tried(data: bytes, model: OwnModel, where: str) -> float:
    """Seconds for one instance. CheckpointError where the model does not keep what its signature promises."""
    graph = exported.module(data, where)
    try:
        return exported.try_out(graph, model)
    except Exception as error:  # PyTorch raises whatever it stumbles over
        raise CheckpointError(
            f"{where}: does not answer one instance and several, as its signature says: "
            f"{error!s:.300}; fix: log it with an input_example of two or more instances"
        ) from error


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
