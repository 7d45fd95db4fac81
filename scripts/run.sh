#!/bin/sh
# Installs what is missing, builds, and runs: the README's two commands, from a bare Debian on.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f -- "$0")")/.." && pwd)

usage() {
  cat <<'TEXT'
Usage: sh scripts/run.sh train [OPTION]...   train on MNIST; options of scripts/train_mnist.lua,
                                             listed by: sh scripts/run.sh train --help
       sh scripts/run.sh test                run the specs

What is missing is installed first on Debian and its relatives, and named on other systems.
TEXT
}

say() {
  printf '%s\n' "$*" >&2
}

# find_missing WHAT...: set `missing` to those of the things below, named as Debian's packages, that
# cannot be found, and `list` to a line about each. What counts is that the thing works, whoever
# installed it.
find_missing() {
  missing=
  list=
  for package; do
    why=
    case $package in
      make) check='command -v make' why='builds the C modules' ;;
      gcc) check='command -v cc' why='compiles the C modules' ;;
      libc6-dev) check='header math.h' why="the C library's headers" ;;
      pkg-config) check='command -v pkg-config' why='finds Lua and OpenBLAS' ;;
      lua5.4) check='command -v lua5.4' why='runs everything' ;;
      liblua5.4-dev) check='library lauxlib.h lua5.4 lua-5.4' why="Lua's headers" ;;
      libopenblas-serial-dev) check='library cblas.h openblas' why='multiplies matrices' ;;
      lua-argparse) check='module argparse' why='reads the options of scripts' ;;
      lua-zlib) check='module zlib' why='reads compressed data' ;;
      lua-filesystem) check='module lfs' why='makes and lists folders' ;;
      lua-dkjson) check='module dkjson' why='reads and writes JSON' ;;
      lua-busted) check='busted_runs' why='runs the specs' ;;
      gzip) check='command -v gzip' why='makes compressed data for the specs' ;;
      curl) check='command -v curl' why='downloads files' ;;
      ca-certificates) check='[ -e /etc/ssl/certs/ca-certificates.crt ]' why='lets curl trust the server' ;;
    esac
    $check >/dev/null 2>&1 && continue
    missing="$missing $package"
    list="$list  $package: $why
"
  done
}

header() {
  printf '#include <%s>\n' "$1" | cc -E -
}

# library HEADER NAME...: pkg-config knows the library by one of the names, and its header is there
library() {
  header=$1
  shift
  for name; do
    flags=$(pkg-config --cflags "$name") || continue
    # shellcheck disable=SC2086  # a list of words
    printf '#include <%s>\n' "$header" | cc $flags -E - && return
  done
  return 1
}

module() {
  lua5.4 -e "require '$1'"
}

busted_runs() {
  command -v busted && module busted.runner
}

# as_root COMMAND...: run it quietly, as root; what it printed is shown when it fails
as_root() {
  log=$(mktemp)
  if [ "$(id -u)" -ne 0 ]; then set -- sudo "$@"; fi
  if "$@" >"$log" 2>&1 </dev/null; then
    rm -f "$log"
  else
    cat "$log" >&2
    rm -f "$log"
    return 1
  fi
}

# install PACKAGE...: true when all could be installed
install() {
  if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
    say "There is no sudo. As root, run: apt-get install --no-install-recommends $*"
    return 1
  fi
  say "Running apt-get install $* ..."
  # one stale source need not matter: the next command tells
  if [ -z "${updated:-}" ]; then as_root apt-get update || true; fi
  updated=yes
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "$@"
}

# provide WHAT...: true when everything is there, installed if need be
provide() {
  find_missing "$@"
  [ -n "$missing" ] || return 0
  say "Missing here:"
  printf '%s' "$list" >&2
  if command -v apt-get >/dev/null; then
    # shellcheck disable=SC2086  # a list of words
    install $missing || return 1
    find_missing "$@"
    [ -z "$missing" ] || say "Installed, but still not found:$missing"
  else
    say "The names are those of Debian's packages; install them, or what they are called here."
  fi
  [ -z "$missing" ]
}

# has_data OPTION...: training with these options needs no download
has_data() {
  # A folder that is named is taken as it is.
  [ -z "${PERILUNE_MNIST:-}" ] || return 0
  for option; do
    case $option in --synthetic | --data | --data=* | --help | -h) return 0 ;; esac
  done
  set -- "$root"/data/mnist/train-images*
  [ -e "$1" ]
}

case ${1:-} in
  train | test)
    command=$1
    shift
    if [ "$command" = test ] && [ $# -gt 0 ]; then
      say "run.sh: test takes no options, got '$1'"
      exit 2
    fi
    ;;
  '' | -h | --help)
    usage
    exit 0
    ;;
  *)
    say "run.sh: unknown command '$1'"
    usage >&2
    exit 2
    ;;
esac

base='make gcc libc6-dev pkg-config lua5.4 liblua5.4-dev libopenblas-serial-dev
  lua-argparse lua-zlib lua-filesystem lua-dkjson gzip'
# shellcheck disable=SC2086
case $command in
  train)
    provide $base || exit 1
    has_data "$@" || provide curl ca-certificates || say "Going on without the download of MNIST."
    ;;
  test) provide $base lua-busted curl || exit 1 ;;
esac

make -s --no-print-directory -C "$root" -j "$(getconf _NPROCESSORS_ONLN)"
case $command in
  train) exec lua5.4 "$root/scripts/train_mnist.lua" "$@" ;;
  test) exec make --no-print-directory -C "$root" test ;;
esac
