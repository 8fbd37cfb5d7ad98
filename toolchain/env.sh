# shellcheck shell=bash
# The environment of every command of this repository. Sourced by setup.sh and run.sh, and through
# `eval "$(make -s env)"` by a user's own shell. Variables that the user has set are kept.
#
# Sourcing it twice changes nothing, and it works before `make setup` has run.

AIDC_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# Services and cron jobs have no HOME; Pulumi and the Docker CLI look there for their settings.
if [ -z "${HOME:-}" ]; then
  HOME=$(getent passwd "$(id -u)" | cut -d : -f 6)
  export HOME=${HOME:-/}
fi
AIDC_CACHE=${AIDC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/aidc}
STACK=${STACK:-dev}
PULUMI_SKIP_UPDATE_CHECK=${PULUMI_SKIP_UPDATE_CHECK:-1}
# Without cached bytecode each command compiles 400 modules again: a second of every `pulumi up`.
# So a shell that forbids it, as in images and CI, is overruled.
export PYTHONDONTWRITEBYTECODE=

# Our folders come first: the locked Python environment, then the tools that setup has built.
for aidc_dir in "$AIDC_CACHE/bin" "$AIDC_ROOT/.venv/bin"; do
  case ":$PATH:" in
    *":$aidc_dir:"*) ;;
    *) PATH=$aidc_dir:$PATH ;;
  esac
done
unset aidc_dir

# The user's own Pulumi keeps its home; only the one that we built uses ours.
if [ -e "$AIDC_CACHE/bin/pulumi" ]; then
  PULUMI_HOME=${PULUMI_HOME:-$AIDC_CACHE/pulumi-home}
fi

# The state is kept in the clone unless the user has a backend.
if [ -z "${PULUMI_BACKEND_URL:-}" ] && [ -z "${PULUMI_ACCESS_TOKEN:-}" ]; then
  # In a URL, characters of the path with a special meaning are encoded, the percent sign first.
  aidc_path=${AIDC_ROOT//%/%25}
  aidc_path=${aidc_path//\#/%23}
  PULUMI_BACKEND_URL=file://${aidc_path//\?/%3F}/.aidc/state
  unset aidc_path
fi
if [ -z "${PULUMI_CONFIG_PASSPHRASE:-}" ] && [ -z "${PULUMI_CONFIG_PASSPHRASE_FILE:-}" ]; then
  PULUMI_CONFIG_PASSPHRASE_FILE=$AIDC_ROOT/.aidc/passphrase
fi

if command -v docker >/dev/null 2>&1; then
  # The Python SDK does not know CLI contexts, and Pulumi's provider prefers them to DOCKER_HOST: pass the address on, and
  # nothing else.
  if [ -n "${DOCKER_HOST:-}" ]; then
    unset DOCKER_CONTEXT
  elif aidc_host=$(docker context inspect --format '{{.Endpoints.docker.Host}}' 2>/dev/null); then
    case $aidc_host in
      "" | unix:///var/run/docker.sock) ;;
      *) DOCKER_HOST=$aidc_host ;;
    esac
    unset aidc_host DOCKER_CONTEXT
  fi
  # Clients negotiate with an older engine, but the minimum of the newest is above the API of
  # Debian's engine.
  if [ -z "${DOCKER_API_VERSION:-}" ] && ! docker version >/dev/null 2>&1 &&
    DOCKER_API_VERSION=1.41 docker version >/dev/null 2>&1; then
    DOCKER_API_VERSION=1.41
  fi
fi

# Loopback never goes through a proxy: Pulumi's processes and the clients of the stack use it. Some libraries
# read only one spelling, and not all accept blanks (operations/stack/proxies.py does the same).
if [ -n "${http_proxy:-}${HTTP_PROXY:-}${https_proxy:-}${HTTPS_PROXY:-}${all_proxy:-}${ALL_PROXY:-}${grpc_proxy:-}" ]; then
  aidc_direct=${no_proxy:-}
  if [ "${NO_PROXY:-}" != "$aidc_direct" ]; then aidc_direct=$aidc_direct,${NO_PROXY:-}; fi
  for aidc_name in ::1 127.0.0.1 localhost; do
    case ",${aidc_direct// /,}," in
      *",$aidc_name,"*) ;;
      *) aidc_direct=$aidc_name,$aidc_direct ;;
    esac
  done
  aidc_direct=${aidc_direct// /,}
  while [ "$aidc_direct" != "${aidc_direct//,,/,}" ]; do aidc_direct=${aidc_direct//,,/,}; done
  aidc_direct=${aidc_direct%,}
  no_proxy=$aidc_direct NO_PROXY=$aidc_direct
  if [ -n "${no_grpc_proxy:-}" ]; then no_grpc_proxy=$aidc_direct; fi
  unset aidc_direct
fi

AIDC_EXPORTS=(PATH AIDC_CACHE STACK PULUMI_SKIP_UPDATE_CHECK PULUMI_HOME PULUMI_BACKEND_URL
  PULUMI_CONFIG_PASSPHRASE_FILE DOCKER_HOST DOCKER_API_VERSION PYTHONDONTWRITEBYTECODE
  no_proxy NO_PROXY no_grpc_proxy)
for aidc_name in "${AIDC_EXPORTS[@]}"; do
  if [ -n "${!aidc_name+set}" ]; then export "${aidc_name?}"; fi
done
unset aidc_name
