# shellcheck shell=bash
# Steps: the Python environment .venv, exactly as locked in requirements.txt, and the images.

setup_python() {
  step "Python environment .venv"
  local lock=$AIDC_ROOT/requirements.txt venv=$AIDC_ROOT/.venv marker wanted
  marker=$venv/.aidc-lock # written last: an interrupted installation is repeated
  wanted="$(sha256sum <"$lock") $(sha256sum <"$AIDC_ROOT/pyproject.toml") $("$HOST_PYTHON" -c 'import sys; print(sys.version_info[:2])')"
  if [ "$(cat "$marker" 2>/dev/null)" = "$wanted" ] && "$venv/bin/python" -c '' 2>/dev/null; then
    done_step "as locked"
    return
  fi

  # Through a link another clone's environment would be emptied.
  [ ! -L "$venv" ] || rm -f "$venv"
  rm -f "$marker"
  if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1 ||
    [ "$("$venv/bin/python" -c 'import sys; print(sys.version_info[:2])')" != "${wanted#*- }" ]; then
    long "creating it with $("$HOST_PYTHON" --version)" "$LOGS/venv.log" "$HOST_PYTHON" -m venv --clear "$venv"
  fi
  if [ "$("$venv/bin/uv" --version 2>/dev/null | cut -d ' ' -f 2)" != "$(locked uv)" ]; then
    awk '/^uv==/ { found = 1 } found { print } found && !/\\$/ { exit }' "$lock" >"$venv/uv.txt"
    long "installing uv $(locked uv)" "$LOGS/uv.log" \
      "$venv/bin/python" -m pip install --no-deps --require-hashes --requirement "$venv/uv.txt"
  fi
  long "installing $(grep -c '==' "$lock") locked packages (several GB the first time)" \
    "$LOGS/packages.log" sync_packages "$venv" "$lock"
  echo "$wanted" >"$marker"
  done_step "installed"
}

sync_packages() {
  use_pip_index "$1"
  # Without --compile-bytecode: compiling all of torch takes most of a minute, while Python compiles
  # what is really imported when it is imported; the rest are hard links into uv's cache.
  UV_HTTP_TIMEOUT=${UV_HTTP_TIMEOUT:-180} "$1/bin/uv" pip sync --python "$1/bin/python" --require-hashes "$2"
  # This clone as an editable package, for the command `aidc`; its build tools are locked above.
  "$1/bin/uv" pip install --python "$1/bin/python" --no-deps --no-build-isolation --editable "$AIDC_ROOT"
}

# use_pip_index VENV: passes the index of pip's configuration on to uv, which does not read it: a
# mirror named there may be the only one that this machine can reach.
use_pip_index() {
  local index
  index=${PIP_INDEX_URL:-$("$1/bin/python" -m pip config get global.index-url 2>/dev/null || true)}
  if [ -n "$index" ] && [ -z "${UV_DEFAULT_INDEX:-}" ]; then export UV_DEFAULT_INDEX=$index; fi
}

setup_images() {
  step "Images"
  local status=0
  if [ -e "$AIDC_ROOT/operations/images/building.py" ]; then
    note "building the images that the engine lacks"
    # Builds need the CA bundle of a company's proxy, too.
    SSL_CERT_FILE=$(ca_bundle) "$AIDC_ROOT/toolchain/run.sh" python -m operations images 9>&- || status=$?
    [ $status -eq 0 ] || fail "not all images could be built, see above (exit code $status)." \
      "Fix the cause, then run \`make setup\` again: finished images are kept."
  fi
  done_step "complete"
}
