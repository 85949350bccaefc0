#!/bin/bash
# Installs what Tenon needs on Debian 12: packages with apt, Python packages for the tests into .venv. Does nothing, and
# needs neither network nor root, where all is there.
# usage: deps.sh [build] [test] [bench] [dev] [dist]     (default: build test)
#   build: compiler and libraries    test: what `make test` needs besides    bench: the peers that the bench compares with
#   dev: what `make format lint` need besides    dist: what `make dist` needs besides
set -euo pipefail
cd "$(dirname "$0")/.."

build_packages=(
  ca-certificates ccache cmake g++ git make mold ninja-build pkg-config
  flatbuffers-compiler libcli11-dev libflatbuffers-dev libfmt-dev libjpeg-dev libonnx-dev libopencv-core-dev
  libopencv-imgproc-dev libpng-dev libprotobuf-dev protobuf-compiler libspdlog-dev libwebp-dev libxbyak-dev libxxhash-dev
  libyaml-cpp-dev nlohmann-json3-dev
)
test_packages=(clang libclang-rt-dev libgtest-dev libgmock-dev librapidcheck-dev zlib1g-dev python3 python3-pip python3-venv)
bench_packages=(python3 python3-venv)
dev_packages=(clang-format clang-tidy)
dist_packages=(patchelf)

install_packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  local sudo=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "error: not installed: ${missing[*]}; install them as root" >&2; exit 2; }
    sudo=(sudo)
  fi
  echo "installing: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  "${sudo[@]}" apt-get -qq -o DPkg::Lock::Timeout=300 update
  "${sudo[@]}" apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 install -y --no-install-recommends "${missing[@]}" \
    >/dev/null
}

# A venv of the tests' own: nothing of it is part of the product. Its stamp holds the requirements that it was made from.
install_python() {
  local requirements=$1 stamp
  stamp=.venv/$(basename "$(dirname "$requirements")").installed
  if ! cmp -s "$requirements" "$stamp"; then
    [ -x .venv/bin/python ] || python3 -m venv .venv
    echo "installing into .venv: $(grep -o '^[a-z][a-z-]*' "$requirements" | tr '\n' ' ')"
    .venv/bin/pip install --quiet --disable-pip-version-check -r "$requirements"
    cp "$requirements" "$stamp"
  fi
}

[ $# -gt 0 ] || set -- build test
for group in "$@"; do
  case $group in
    build) install_packages "${build_packages[@]}" ;;
    test) install_packages "${test_packages[@]}"; install_python tests/requirements.txt ;;
    bench) install_packages "${bench_packages[@]}"; install_python bench/requirements.txt ;;
    dev) install_packages "${dev_packages[@]}" ;;
    dist) install_packages "${dist_packages[@]}" ;;
    *) echo "error: unknown group $group" >&2; exit 2 ;;
  esac
done
