# shellcheck shell=bash
# Steps: the Python environment .venv, exactly as locked in requirements.txt, and the images.

setup_python() {
  step "Python environment .venv"
  local lock=$AIDC_ROOT/requirements.txt venv=$AIDC_ROOT/.venv marker wanted
  marker=$venv/.aidc-lock # written last: an interrupted installation is taken up again
  wanted="$(sha256sum <"$lock") $(sha256sum <"$AIDC_ROOT/pyproject.toml") $("$HOST_PYTHON" -c 'import sys; print(sys.version_info[:2])')"
  if [ "$(cat "$marker" 2>/dev/null)" = "$wanted" ] && "$venv/bin/python" -c '' 2>/dev/null; then
    done_step "as locked"
    return
  fi

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
  # what is really imported as it goes; uv's cache makes the rest hard links.
  UV_HTTP_TIMEOUT=${UV_HTTP_TIMEOUT:-180} "$1/bin/uv" pip sync --python "$1/bin/python" --require-hashes "$2"
  # This clone in place, for the command `aidc`: what builds it is locked above.
  "$1/bin/uv" pip install --python "$1/bin/python" --no-deps --no-build-isolation --editable "$AIDC_ROOT"
}

# use_pip_index VENV: tells uv of the index in pip's configuration, which uv does not read: a
# mirror named there is the one that this machine can reach.
use_pip_index() {
  local index
  index=${PIP_INDEX_URL:-$("$1/bin/python" -m pip config get global.index-url 2>/dev/null || true)}
  if [ -n "$index" ] && [ -z "${UV_DEFAULT_INDEX:-}" ]; then export UV_DEFAULT_INDEX=$index; fi
}

setup_images() {
  step "Images"
  local status=0
  if [ -e "$AIDC_ROOT/operations/images/building.py" ]; then
    note "assembling and building what the engine lacks"
    # The bundle of a company's proxy is needed inside the builds too.
    SSL_CERT_FILE=$(ca_bundle) "$AIDC_ROOT/toolchain/run.sh" python -m operations images 9>&- || status=$?
    [ $status -eq 0 ] || fail "the images are not complete, see above (exit code $status)." \
      "Mend the cause, then run \`make setup\` again: what is built stays."
  fi
  done_step "complete"
}
