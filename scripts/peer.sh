#!/bin/sh
# Prints the path of opendataloader's program, a jar that needs Java, for "make bench-peers": RAGIFY_PEER_JAR where that
# is set, else the jar of the npm package, which is fetched into the user's cache directory at the first use.
set -eu

version=2.5.11

if [ -n "${RAGIFY_PEER_JAR:-}" ]; then
  echo "$RAGIFY_PEER_JAR"
  exit
fi
dir=${XDG_CACHE_HOME:-$HOME/.cache}/ragify-peers/$version
jar=$dir/node_modules/@opendataloader/pdf/lib/opendataloader-pdf-cli.jar
if [ ! -f "$jar" ]; then
  if ! command -v npm >/dev/null; then
    echo "opendataloader is an npm package, and npm is not installed: install it, or set RAGIFY_PEER_JAR" >&2
    exit 1
  fi
  npm install --silent --ignore-scripts --prefix "$dir" "@opendataloader/pdf@$version" >&2
fi
echo "$jar"
