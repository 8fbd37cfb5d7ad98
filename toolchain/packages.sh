# shellcheck shell=bash
# Step: Debian packages. Only those that are missing and that this machine needs.

APT=(apt-get -o DPkg::Lock::Timeout=300)
MINIMUM_PYTHON=3.11

# missing_packages: prints the Debian packages that this machine lacks, one per line.
missing_packages() {
  if ! "${HOST_PYTHON:-false}" -c 'import ensurepip, venv' 2>/dev/null; then echo python3-venv; fi
  if [ -z "$(ca_bundle)" ]; then echo ca-certificates; fi
  if ! engine_reachable; then
    command -v dockerd >/dev/null || echo docker.io
    command -v iptables >/dev/null || echo iptables
    command -v ip >/dev/null || echo iproute2
  fi
  if ! command -v docker >/dev/null; then
    # Newer releases of Debian have the client in a separate package.
    if [ -n "$(apt-cache search --names-only '^docker-cli$' 2>/dev/null)" ]; then echo docker-cli; fi
    echo docker.io
  fi
  if ! command -v debootstrap >/dev/null && ! base_image_present && ! base_image_pulled; then
    echo debootstrap
  fi
}

# ca_bundle: prints the path of the host's bundle of certificate authorities, or nothing if there is none.
ca_bundle() {
  local path
  for path in "${SSL_CERT_FILE:-}" /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt \
    /etc/ssl/ca-bundle.pem /etc/ssl/cert.pem; do
    if [ -n "$path" ] && [ -s "$path" ]; then
      echo "$path"
      return
    fi
  done
}

setup_packages() {
  local missing version
  step "System packages"
  mapfile -t missing < <(missing_packages | sort -u)
  if [ ${#missing[@]} -gt 0 ]; then
    command -v apt-get >/dev/null || fail "this machine lacks the contents of these Debian packages: ${missing[*]}" \
      "There is no apt-get here: install the equivalents, then run \`make setup\` again."
    is_root || fail "these packages are missing, and only root can install them: ${missing[*]}" \
      "Run: sudo apt-get install --no-install-recommends ${missing[*]}"
    long "refreshing the package lists" "$LOGS/apt-update.log" "${APT[@]}" update
    long "installing ${missing[*]}" "$LOGS/apt-install.log" env DEBIAN_FRONTEND=noninteractive \
      "${APT[@]}" install --yes --no-install-recommends "${missing[@]}"
    done_step "installed ${missing[*]}"
  else
    done_step "complete"
  fi

  HOST_PYTHON=${HOST_PYTHON:-$(command -v python3)}
  version=$("$HOST_PYTHON" -c 'import platform; print(platform.python_version())')
  at_least "$version" "$MINIMUM_PYTHON" ||
    fail "$HOST_PYTHON is Python $version; Python $MINIMUM_PYTHON or newer is needed." \
      "Install it, or put it first on PATH."
}
