#!/usr/bin/env bash
# Runs a command in this repository's environment, from its root:
#   toolchain/run.sh COMMAND ARGUMENTS…
#   toolchain/run.sh --print-env       prints the environment as `export` lines, and loads completion in bash
# The command replaces this shell, so that Ctrl-C reaches it and nothing else.
set -euo pipefail

aidc_context=${DOCKER_CONTEXT:-}
# shellcheck source=toolchain/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$AIDC_ROOT"

if [ "${1:-}" = --print-env ]; then
  for name in "${AIDC_EXPORTS[@]}"; do
    if [ -n "${!name+set}" ]; then printf 'export %s=%s\n' "$name" "${!name@Q}"; fi
  done
  if [ "$aidc_context" ] && [ -z "${DOCKER_CONTEXT:-}" ]; then echo 'unset DOCKER_CONTEXT'; fi
  # Only for somebody who types. What their shell is, it knows best.
  # shellcheck disable=SC2016
  printf 'case $-${BASH_VERSION:+b} in *i*b) . %s ;; esac\n' "${AIDC_ROOT@Q}/toolchain/completion.bash"
  exit
fi
if [ ! -e .venv/.aidc-lock ]; then
  echo "error: this clone is not set up yet: run \`make setup\` first" >&2
  exit 1
fi
exec "$@"
