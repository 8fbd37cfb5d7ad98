#!/usr/bin/env bash
# Installs the S3 clients of the acceptance tests, as locked in tests/clients/*.txt: one environment per lock in
# the cache, named by the lock's digest. Existing ones are reused.
set -euo pipefail

# shellcheck source=toolchain/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
# shellcheck source=toolchain/python.sh
source "$AIDC_ROOT/toolchain/python.sh"

use_pip_index "$AIDC_ROOT/.venv"
for lock in "$AIDC_ROOT"/tests/clients/*.txt; do
  name=clients-$(basename "$lock" .txt)-$(sha256sum <"$lock" | cut -c 1-12)
  [ ! -d "$AIDC_CACHE/$name" ] || continue
  echo "installing the S3 clients of ${lock#"$AIDC_ROOT"/}"
  folder=$(mktemp --directory "$AIDC_CACHE/.$name.XXXXXX")
  trap 'rm -rf "$folder"' EXIT
  uv venv --quiet --relocatable --python "$AIDC_ROOT/.venv/bin/python" "$folder/venv"
  uv pip install --quiet --require-hashes --python "$folder/venv/bin/python" --requirement "$lock"
  mv -T "$folder/venv" "$AIDC_CACHE/$name" 2>/dev/null || [ -d "$AIDC_CACHE/$name" ]
  rm -rf "$folder"
done
