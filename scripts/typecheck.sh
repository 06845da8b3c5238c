#!/usr/bin/env bash
# Runs mypy on the packages of this checkout. The folders are joined to a package by setuptools, in
# a way that mypy does not see in an editable install; so they are joined by links here.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

mkdir "$tree/octopus"
ln -s "$root"/octopus/* "$root"/{hw,sched,sim,verify} "$tree/octopus/"
cd "$tree"
MYPYPATH=$tree "${MYPY:-mypy}" --config-file "$root/pyproject.toml" \
    --cache-dir "$root/.mypy_cache" "$@" | sed 's|^octopus/||'
