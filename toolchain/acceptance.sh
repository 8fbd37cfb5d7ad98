#!/usr/bin/env bash
# The acceptance tests on a live stack of their own: up, test, and gone again, whatever happened.
# KEEP=1 leaves the stack for a closer look. Arguments go to pytest.
set -euo pipefail

remove() {
  [ -n "${KEEP:-}" ] || python -m operations destroy --stack "$STACK" --purge --yes
}
trap remove EXIT
trap 'exit 130' INT TERM

python -m operations up --stack "$STACK"
pytest tests/acceptance "$@"
