#!/usr/bin/env bash
# Prepares a bare Debian machine for `make up`. Each step does nothing when its work is done, so a
# second run takes seconds, and a run after an interrupt continues where it ended.
# What the machine already has (an engine, a recent enough Pulumi, a base image) is used as it is.
set -euo pipefail

# shellcheck disable=SC2034 # read by lib.sh
STEPS=7
# shellcheck source=toolchain/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
PATH=$PATH:/usr/sbin:/sbin # of dockerd, iptables and debootstrap; not on every user's PATH
LOGS=$AIDC_CACHE/logs
for part in lib packages engine tools python; do
  # shellcheck source=/dev/null
  source "$AIDC_ROOT/toolchain/$part.sh"
done
cd "$AIDC_ROOT"
case $AIDC_ROOT in
  *:*) fail "the path of this clone, $AIDC_ROOT, contains a colon, which separates folders in PATH." \
    "Move the clone to another folder." ;;
esac
# Other users and containers use what is built and installed here, whatever umask this shell has.
umask 022
# Once .venv exists, env.sh puts its Python first; the steps that create it need the host's.
# shellcheck disable=SC2034 # read by packages.sh and python.sh
HOST_PYTHON=$(PATH=$(path_without "$AIDC_ROOT/.venv/bin") command -v python3 || true)

# Unfinished folders are removed at the end of the run, and Ctrl-C also ends the running command.
cleanup=()
finish() {
  if [ -n "$child" ]; then kill -- "-$child" 2>/dev/null || true; fi
  for folder in "${cleanup[@]}"; do rm -rf "$folder"; done
}
trap finish EXIT
trap 'echo; echo "interrupted: run \`make setup\` again to continue" >&2; exit 130' INT TERM

mkdir -p "$AIDC_CACHE" "$LOGS"
exec 9>"$AIDC_CACHE/setup.lock"
if ! flock --nonblock 9; then
  echo "another \`make setup\` is running; waiting for it to finish"
  flock 9
fi

# shellcheck disable=SC2034 # read by tools.sh
needed_tools=$(tools_needed)
setup_packages
setup_engine
setup_base_image
setup_python
setup_tools
setup_pulumi
setup_images
echo "set up in $SECONDS s; next: make up"
