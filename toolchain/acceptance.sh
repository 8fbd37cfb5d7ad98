#!/usr/bin/env bash
# The acceptance tests on a separate live stack, which is removed at the end in any case.
# KEEP=1 keeps the stack for a closer look. Arguments go to pytest.
set -euo pipefail

# One run at a time per machine, for all checkouts: they share the stack's name, ports and subnets.
lock=/tmp/aidc-acceptance-$STACK.lock
[ -e "$lock" ] || : >"$lock"
exec 9<"$lock"
flock --nonblock 9 || {
  echo "error: other acceptance tests are running on stack $STACK; fix: wait until they have ended" >&2
  exit 2
}

# Prints what carries the stack's label, and its firewall table: nothing, once the stack is destroyed.
leftovers() {
  local label=label=aidc.stack=$STACK firewall
  docker ps --all --filter "$label" --format 'container {{.Names}}'
  docker network ls --filter "$label" --format 'network {{.Name}}'
  docker volume ls --filter "$label" --format 'volume {{.Name}}'
  firewall=$(docker images --quiet aidc-firewall | head -n 1)
  docker run --rm --network=host --cap-drop=ALL --cap-add=NET_ADMIN --user=0 "$firewall" nft list tables |
    grep -w "aidc_$STACK" || true
}

remove() {
  local left
  [ -z "${KEEP:-}" ] || return 0
  python -m operations destroy --stack "$STACK" --purge --yes
  left=$(leftovers)
  if [ -n "$left" ]; then
    printf 'error: destroy left behind:\n%s\n' "$left" >&2
    exit 1
  fi
}
trap remove EXIT
trap 'exit 130' INT TERM

toolchain/clients.sh
# An interrupted run may have left its stack; if another checkout's state holds it, `up` would refuse.
if [ -z "${KEEP:-}" ] && [ -n "$(leftovers)" ]; then
  echo "removing what an earlier run left of stack $STACK"
  remove
fi
python -m operations up --stack "$STACK"
pytest tests/acceptance "$@"
S3_SERVERS=stack,versitygw,minio pytest -q tests/s3
