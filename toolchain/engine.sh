# shellcheck shell=bash
# Steps: a reachable Docker Engine and the base image.

BASE_SUITE=trixie
BASE_IMAGE=debian:$BASE_SUITE-slim
ENGINE_LOG=/var/log/aidc-dockerd.log
ENGINE_WAIT=300
engine_tries=0

engine_reachable() { docker version >/dev/null 2>&1; }

setup_engine() {
  step "Docker Engine"
  if ! engine_reachable; then
    [ -z "${DOCKER_HOST:-}" ] || fail "the Docker Engine at DOCKER_HOST=$DOCKER_HOST does not answer." \
      "Start it, or unset DOCKER_HOST to let setup start one on this machine."
    is_root || fail "no Docker Engine answers at /var/run/docker.sock, and only root can start one." \
      "Start it (sudo systemctl start docker), or join its group (sudo usermod -aG docker $(id -un)) and log in again."
    if [ "$(cat /proc/1/comm)" = systemd ]; then
      note "starting docker.service"
      systemctl start docker || true
      await_engine docker_unit_runs 'journalctl --unit docker --lines 20 --no-pager'
    else
      start_dockerd
      await_engine dockerd_runs "tail -n 20 $ENGINE_LOG"
    fi
  fi
  # shellcheck source=toolchain/env.sh
  source "$AIDC_ROOT/toolchain/env.sh" # now that there is an engine: its API version
  done_step "$(docker version --format '{{.Server.Version}}, API {{.Server.APIVersion}}')"
  check_bridge_filter
}

# start_dockerd: for machines without systemd. The engine gets its own process session, so that
# it outlives this shell and no Ctrl-C reaches it.
start_dockerd() {
  local name file
  # The files of a killed engine would prevent the next start once its process id belongs to
  # another process.
  for file in /var/run/docker.pid /var/run/docker/containerd/containerd.pid; do
    name=$(basename "$file" .pid)
    [ "$name" = docker ] && name=dockerd
    if [ -s "$file" ] && [ "$(cat "/proc/$(cat "$file")/comm" 2>/dev/null)" != "$name" ]; then
      note "removing $file: its process does not exist any more"
      rm -f "$file"
    fi
  done
  note "starting dockerd, log in $ENGINE_LOG"
  setsid nohup dockerd >>"$ENGINE_LOG" 2>&1 </dev/null 9>&- &
  dockerd=$!
  engine_tries=$((engine_tries + 1))
}

# dockerd gives its containerd 15 s to start: on a slow disk the second attempt finds it cached.
dockerd_runs() {
  if kill -0 "$dockerd" 2>/dev/null; then return 0; fi
  if [ "$engine_tries" -ge 3 ]; then return 1; fi
  note "dockerd exited; starting it again"
  start_dockerd
}
docker_unit_runs() { systemctl is-active --quiet docker || systemctl show docker --property ActiveState | grep -q activating; }

# await_engine RUNS LOG: waits for the engine while the command RUNS finds its process; the command
# LOG shows its log when it does not start. With a cold disk cache and many images an engine was seen
# to take more than a minute, so only its exit or a long silence is an error.
await_engine() {
  local runs=$1 log=$2 started=$SECONDS reported=$SECONDS
  until engine_reachable; do
    if ! $runs; then engine_failed "$log" "the Docker Engine exited while it was starting."; fi
    if [ $((SECONDS - started)) -ge $ENGINE_WAIT ]; then
      engine_failed "$log" "the Docker Engine did not answer within $ENGINE_WAIT s."
    fi
    if [ $((SECONDS - reported)) -ge 15 ]; then
      reported=$SECONDS
      note "still waiting for the engine: $((SECONDS - started)) s of at most $ENGINE_WAIT s"
    fi
    sleep 0.5
  done
}

# engine_failed LOG MESSAGE
engine_failed() {
  note "the engine's last log lines:"
  $1 | sed 's/^/      | /' >&2
  fail "$2" "The complete log: $1"
}

# The firewall sees traffic inside a segment only when bridges pass it to netfilter. The engine's
# first network may load the module, so this warns and does not fail.
check_bridge_filter() {
  local switch=/proc/sys/net/bridge/bridge-nf-call-iptables
  if [ ! -e $switch ] && is_root; then modprobe br_netfilter 2>/dev/null || true; fi
  if [ "$(cat $switch 2>/dev/null)" != 1 ]; then
    note "warning: net.bridge.bridge-nf-call-iptables is not 1: the firewall cannot filter inside a segment." \
      "Run: modprobe br_netfilter && sysctl -w net.bridge.bridge-nf-call-iptables=1"
  fi
}

base_image_present() { docker image inspect "$BASE_IMAGE" >/dev/null 2>&1; }

# Bounded: on a machine without a registry the attempt may hang.
base_image_pulled() { engine_reachable && timeout 10 docker pull --quiet "$BASE_IMAGE" >/dev/null 2>&1; }

setup_base_image() {
  step "Base image $BASE_IMAGE"
  if base_image_present; then
    done_step "present"
  elif base_image_pulled; then
    done_step "pulled"
  else
    bootstrap_base_image
    done_step "built with debootstrap from this host's Debian mirror"
  fi
}

# archive_uri LABEL: prints the first archive of that label in the host's apt sources.
archive_uri() {
  # shellcheck disable=SC2016 # the variable is apt's
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Label: $1" | head -n 1
}

bootstrap_base_image() {
  local mirror security root
  is_root || fail "$BASE_IMAGE cannot be pulled, and only root can build it with debootstrap." \
    "Run \`make setup\` once as root, or load the image yourself: docker load"
  mirror=$(archive_uri Debian)
  security=$(archive_uri Debian-Security)
  [ -n "$mirror" ] || fail "$BASE_IMAGE cannot be pulled, and this host's apt sources name no Debian archive." \
    "Load the image yourself: docker load"
  root=$(fresh_dir base-image)
  cleanup+=("$root")
  long "debootstrap $BASE_SUITE" "$LOGS/debootstrap.log" \
    debootstrap --variant=minbase "$BASE_SUITE" "$root" "$mirror"
  slim_apt "$root" "$mirror" "$security"
  long "upgrading its packages" "$LOGS/base-upgrade.log" upgrade_root "$root"
  long "importing it" "$LOGS/base-import.log" import_root "$root"
  rm -rf "$root"
}

# slim_apt ROOT MIRROR SECURITY: writes the settings of the registries' slim images, and all archives
# of the suite.
slim_apt() {
  local root=$1 mirror=$2 security=$3
  printf 'path-exclude /usr/share/%s/*\n' doc man locale info lintian >"$root/etc/dpkg/dpkg.cfg.d/slim"
  echo 'path-include /usr/share/doc/*/copyright' >>"$root/etc/dpkg/dpkg.cfg.d/slim"
  echo 'Acquire::Languages "none";' >"$root/etc/apt/apt.conf.d/slim"
  {
    echo "deb $mirror $BASE_SUITE main"
    echo "deb $mirror $BASE_SUITE-updates main"
    if [ -n "$security" ]; then echo "deb $security $BASE_SUITE-security main"; fi
  } >"$root/etc/apt/sources.list"
}

upgrade_root() {
  chroot "$1" apt-get update
  DEBIAN_FRONTEND=noninteractive chroot "$1" apt-get --yes dist-upgrade
}

import_root() {
  tar --directory "$1" --create --one-file-system \
    --exclude './var/lib/apt/lists/*' --exclude './var/cache/apt/*.bin' --exclude './var/cache/apt/archives/*.deb' \
    --exclude './var/log/*.log' --exclude './usr/share/locale/*' --exclude './usr/share/man/*/*' \
    --exclude './etc/resolv.conf' --exclude './etc/hostname' --exclude './dev/*' --exclude './proc/*' . |
    docker import --change 'CMD ["bash"]' - "$BASE_IMAGE"
}
