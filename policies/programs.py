"""Programs that install or download software or data, by name. Data only."""

from __future__ import annotations

import re
from collections.abc import Mapping


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _each(programs: str, verbs: str) -> dict[str, frozenset[str]]:
    return dict.fromkeys(programs.split(), _names(verbs))


APT = _names("apt apt-get aptitude")
APT_VERBS = _names("install build-dep satisfy upgrade dist-upgrade full-upgrade reinstall")
UNVERIFIED = re.compile(
    r"--allow-unauthenticated|--force-yes|--allow-(downgrade-to-)?insecure-repositories"
    r"|.*(AllowUnauthenticated|AllowInsecureRepositories|AllowWeakRepositories|trusted)=(?!0|no|false).*",
    re.IGNORECASE,
)
PIP = re.compile(r"pip[\d.]*|uv")
PIP_VERBS = _names("install sync download wheel")
PYTHON = re.compile(r"(python|pypy)[\d.]*")
# Programs whose sources are not verified here, with the words that make them install something.
BRINGERS: Mapping[str, frozenset[str]] = {
    **_each("dpkg", "-i --install --unpack"),
    **_each("npm pnpm yarn bun", "install i in add ci update exec dlx x global"),
    **_each("git hg svn bzr", "clone fetch pull submodule checkout co export remote"),
    **_each(
        "gem cargo luarocks opam stack cabal brew snap flatpak nix-env guix helm krew poetry pdm pipenv "
        "conda mamba micromamba composer mix dotnet vcpkg conan spack raco ghcup rustup nvm pipx bundle",
        "install i add fetch update require create restore get switch toolchain env inject run",
    ),
    **_each("go", "install get run mod"),
    **_each(
        "apk yum dnf microdnf tdnf zypper rpm pacman xbps-install emerge swupd slackpkg",
        "add install in localinstall groupinstall update upgrade -i -U -S -Sy -Syu -Uvh -ivh --install "
        "--upgrade",
    ),
    **_each("docker podman", "pull run load import"),
}
ALWAYS_BRING = _names(
    "npx pnpx bunx uvx easy_install cpan cpanm cpanminus add-apt-repository apt-add-repository gdebi skopeo "
    "crane oras debootstrap"
)
FETCHERS = _names(
    "curl wget wget2 aria2c axel lynx links httpie http https xh ftp lftp tftp scp sftp rsync nc ncat "
    "netcat socat telnet"
)
ADDRESS = re.compile(r"\b(https?|ftps?|git|ssh|rsync|s3|gs)://|^git@", re.IGNORECASE)
INTERPRETERS = re.compile(r"(python|pypy|perl|ruby|node|php|lua)[\d.]*")
FETCHING_CODE = re.compile(
    r"urllib|urlopen|urlretrieve|requests\.|httpx|http\.client|\bpip\b|ensurepip|LWP|HTTP::|Net::HTTP|open-uri"
    r"|fetch\("
)
PRINTERS = _names("echo printf test [ [[ : true grep sed")
SUMS = re.compile(r"(sha(224|256|384|512)|b2|b3)sum|shasum")
