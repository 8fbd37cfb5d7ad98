# shellcheck shell=bash
# What the steps of setup.sh share: reporting, running long commands, comparing versions.

step_number=0
step_name=
step_began=0
step_open=false # whether the step's title has been printed, because a note followed

# step NAME: starts the next numbered step.
step() {
  step_number=$((step_number + 1))
  step_name=$1
  step_began=$SECONDS
  step_open=false
}

# note TEXT…: prints what the current step is doing.
note() {
  if ! $step_open; then
    printf '[%d/%d] %s\n' "$step_number" "$STEPS" "$step_name"
    step_open=true
  fi
  printf '      %s\n' "$*"
}

# done_step TEXT: ends the step with its result and its duration in seconds.
done_step() {
  local seconds=$((SECONDS - step_began))
  if $step_open; then
    printf '      %s (%d s)\n' "$1" "$seconds"
  else
    printf '[%d/%d] %s: %s (%d s)\n' "$step_number" "$STEPS" "$step_name" "$1" "$seconds"
  fi
}

# fail TEXT…: prints each argument on its own line and exits.
fail() {
  printf 'error: %s\n' "$1" >&2
  shift
  if [ $# -gt 0 ]; then printf '       %s\n' "$@" >&2; fi
  exit 1
}

# long LABEL LOG COMMAND…: runs a long command with its output in LOG and shows the elapsed time;
# when it fails, the end of the log is shown. Descriptor 9 is setup's lock: no child may inherit it.
child=
long() {
  local label=$1 log=$2 began=$SECONDS status=0 ticks=0
  shift 2
  mkdir -p "$(dirname "$log")"
  note "$label"
  set -m # its own process group, so that an interrupted setup can end all of it
  "$@" >"$log" 2>&1 </dev/null 9>&- &
  child=$!
  set +m
  while kill -0 "$child" 2>/dev/null; do
    sleep 0.5
    ticks=$((ticks + 1))
    if [ -t 1 ]; then
      printf '\r      … %d s' $((SECONDS - began))
    elif [ $((ticks % 60)) -eq 0 ]; then
      printf '      … %s, %d s so far\n' "$label" $((SECONDS - began))
    fi
  done
  wait "$child" || status=$?
  child=
  if [ -t 1 ]; then printf '\r\033[K'; fi
  if [ "$status" -ne 0 ]; then
    printf '      the last lines of %s:\n' "$log" >&2
    tail -n 20 "$log" | sed 's/^/      | /' >&2
    fail "$label: failed with exit code $status after $((SECONDS - began)) s"
  fi
}

# at_least VERSION MINIMUM: whether a dotted version is at least another one.
at_least() {
  [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

# path_without FOLDER: prints PATH without one folder.
path_without() { printf '%s' "$PATH" | tr ':' '\n' | grep -Fxv "$1" | paste -sd:; }

# fresh_dir NAME: creates an empty folder in the cache, on the same file system as its final place.
fresh_dir() {
  mkdir -p "$AIDC_CACHE/tmp"
  mktemp -d "$AIDC_CACHE/tmp/$1.XXXXXX"
}

is_root() { [ "$(id -u)" -eq 0 ]; }
