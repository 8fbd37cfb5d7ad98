"""The first notebook: data, a training that MLflow records, and a picture. Pure."""

from __future__ import annotations

import json

NAME = "welcome.ipynb"
TEXT = """\
# Welcome

This notebook runs on a compute node of your data centre, with its CPUs, GPUs and packages. The cells below
put a data set into the object store, train a small model on it, and log the loss to MLflow. **Run › Run All
Cells** does all of it.

What you save here is copied to the object store within seconds (`results/notebook/`), so it is still there
when the notebook stops, or starts on another node. Not copied: names that begin with a dot.\
"""
DATA = """\
# Data: 1,797 pictures of handwritten digits, 8 x 8 pixels. boto3 finds the object store by itself.
import io

import boto3
import numpy as np
from sklearn.datasets import load_digits

s3 = boto3.client("s3")
pictures, digits = load_digits(return_X_y=True)
packed = io.BytesIO()
np.savez_compressed(packed, pictures=pictures.astype("float32") / 16, digits=digits)
s3.put_object(Bucket="datasets", Key="notebook/digits.npz", Body=packed.getvalue())

data = np.load(io.BytesIO(s3.get_object(Bucket="datasets", Key="notebook/digits.npz")["Body"].read()))
print({name: data[name].shape for name in data})\
"""
TRAINING = """\
# Training. MLflow records into this notebook's own run.
import mlflow
import torch

device = "cuda" if torch.cuda.is_available() else "cpu"
torch.manual_seed(1)
x = torch.tensor(data["pictures"], device=device)
y = torch.tensor(data["digits"], device=device)
order = torch.randperm(len(x), device=device)
train, test = order[300:], order[:300]

model = torch.nn.Sequential(torch.nn.Linear(64, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10)).to(device)
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
losses = []
for epoch in range(40):
    for batch in train[torch.randperm(len(train), device=device)].split(64):
        loss = torch.nn.functional.cross_entropy(model(x[batch]), y[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    losses.append(loss.item())
    mlflow.log_metric("notebook_loss", losses[-1], step=epoch)

right = (model(x[test]).argmax(1) == y[test]).float().mean().item()
mlflow.log_metric("notebook_accuracy", right)
print(f"{right:.1%} of 300 pictures that it had not seen")\
"""
PICTURE = """\
import matplotlib.pyplot as plt

plt.figure(figsize=(6, 3))
plt.plot(losses)
plt.xlabel("epoch")
plt.ylabel("loss")
plt.show()\
"""
MORE = """\
**Next.** `ray.init()` joins the cluster. `os.environ["AIDC_BUCKETS"]` names the buckets that you may use. A
training that should outlast this notebook is a job: `make submit SCRIPT=train.py`.\
"""


def text() -> str:
    """The notebook as Jupyter reads it (nbformat 4.5)."""
    cells = [
        _cell("welcome", TEXT, "markdown"),
        _cell("data", DATA),
        _cell("training", TRAINING),
        _cell("picture", PICTURE),
        _cell("next", MORE, "markdown"),
    ]
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    document = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(document, indent=1) + "\n"


def _cell(identifier: str, source: str, kind: str = "code") -> dict[str, object]:
    cell: dict[str, object] = {"id": identifier, "cell_type": kind, "metadata": {}, "source": source}
    return {**cell, "execution_count": None, "outputs": []} if kind == "code" else cell
