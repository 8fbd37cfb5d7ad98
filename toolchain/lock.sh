#!/usr/bin/env bash
# Resolves the requirements.in files, and the installer of the images that install packages. Those of the policy check
# and of the compute image are constrained to the host's versions: CI checks with the same versions, and the same
# training code computes the same numbers on the host and in the image.
# `--fork-strategy fewest` keeps one version of each package for all Python versions.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

compile() {
  uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --fork-strategy fewest \
    --custom-compile-command "make lock" "$@"
}

compile --python-version 3.11 --output-file requirements.txt requirements.in
compile --python-version 3.11 --constraints requirements.txt \
  --output-file policies/requirements.txt policies/requirements.in
compile --python-version 3.11 --output-file toolchain/go/requirements.txt toolchain/go/requirements.in
for clients in tests/clients/*.in; do
  compile --python-version 3.11 --output-file "${clients%.in}.txt" "$clients"
done
cd images/compute
compile --python-version 3.13 --constraints ../../requirements.txt \
  --output-file requirements.txt requirements.in
compile --python-version 3.13 --constraints ../../requirements.txt \
  --output-file installer.txt installer.in
compile --python-version 3.13 --constraints requirements.txt \
  --output-file ../../toolchain/notebook/requirements.txt ../../toolchain/notebook/requirements.in
cd ../tracking
compile --python-version 3.13 --override overrides.in --output-file requirements.txt requirements.in
cp ../compute/installer.txt installer.txt
