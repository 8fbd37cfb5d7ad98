#!/usr/bin/env bash
# Brings a machine from bare Debian to where `make up` works. Each step does nothing when its
# work is done, so a second run takes seconds; an interrupted run is taken up where it ended.
# What is on the machine already (an engine, a new enough Pulumi, a base image) is used as it is.
set -euo pipefail

# shellcheck disable=SC2034 # read by lib.sh
STEPS=7
# shellcheck source=toolchain/env.sh
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"
PATH=$PATH:/usr/sbin:/sbin # where dockerd, iptables and debootstrap lie; not on every user's PATH
LOGS=$AIDC_CACHE/logs
for part in lib packages engine tools python; do
  # shellcheck source=/dev/null
  source "$AIDC_ROOT/toolchain/$part.sh"
done
cd "$AIDC_ROOT"
case $AIDC_ROOT in
  *:*) fail "the folder of this clone, $AIDC_ROOT, holds a colon, which separates folders in PATH." \
    "Move the clone to another folder." ;;
esac
# What is built and installed here serves other users and containers too, whatever this shell keeps private.
umask 022
# Once .venv is there, env.sh puts its Python first; steps that make it need the one below.
# shellcheck disable=SC2034 # read by packages.sh and python.sh
HOST_PYTHON=$(PATH=$(path_without "$AIDC_ROOT/.venv/bin") command -v python3 || true)

# Half-made folders go away with the run, and the command that is under way with a Ctrl-C.
cleanup=()
finish() {
  if [ -n "$child" ]; then kill -- "-$child" 2>/dev/null || true; fi
  for folder in "${cleanup[@]}"; do rm -rf "$folder"; done
}
trap finish EXIT
trap 'echo; echo "interrupted: run \`make setup\` again to go on" >&2; exit 130' INT TERM

mkdir -p "$AIDC_CACHE" "$LOGS"
exec 9>"$AIDC_CACHE/setup.lock"
if ! flock --nonblock 9; then
  echo "another \`make setup\` is running; waiting for it to end"
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
