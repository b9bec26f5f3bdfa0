#!/bin/sh
# Makes sure that programs the project needs are on this machine, and installs what is missing with the
# system's package manager when that is allowed (as root, or through sudo without a password); versitygw,
# the S3 server that the tests run against, is a Go program and is built from the module proxy.
#
#   scripts/prepare.sh postgres|cc|make|versitygw ...
#
# Silent when everything is there.
set -eu

versitygw=github.com/versity/versitygw/cmd/versitygw@v1.8.0

has_postgres() {
  # The places that ragify itself looks in: internal/pgserver/find.go.
  for dir in "${PG_BINDIR:-}" /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/lib/postgresql[0-9]*/bin \
    /usr/libexec/postgresql* /opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin \
    /home/linuxbrew/.linuxbrew/opt/postgresql*/bin /Applications/Postgres.app/Contents/Versions/*/bin \
    /opt/local/lib/postgresql*/bin; do
    if [ -n "$dir" ] && [ -x "$dir/initdb" ] && [ -x "$dir/postgres" ]; then return 0; fi
  done
  command -v initdb >/dev/null && command -v postgres >/dev/null
}

# Where "go install" puts programs. The tests look there, too: internal/blob/s3test.
go_bin() {
  bin=$(go env GOBIN)
  if [ -z "$bin" ]; then
    bin=$(go env GOPATH)
    bin=${bin%%:*}/bin
  fi
  echo "$bin"
}

has() {
  case $1 in
  versitygw) command -v versitygw >/dev/null || [ -x "$(go_bin)/versitygw" ] ;;
  postgres) has_postgres ;;
  cc) command -v "${CC:-gcc}" >/dev/null || command -v clang >/dev/null ;;
  *) command -v "$1" >/dev/null ;;
  esac
}

# package WHAT MANAGER: the packages that hold it
packages() {
  case $1/$2 in
  postgres/apt-get) echo postgresql ;;
  postgres/dnf) echo postgresql-server ;;
  postgres/apk) echo postgresql ;;
  postgres/brew) echo postgresql@17 ;;
  cc/apt-get) echo gcc libc6-dev ;;
  cc/dnf) echo gcc glibc-devel ;;
  cc/apk) echo gcc musl-dev ;;
  cc/brew) echo gcc ;;
  *) echo "$1" ;;
  esac
}

missing=
for what in "$@"; do
  has "$what" && continue
  if [ "$what" = versitygw ]; then
    echo "prepare: building $versitygw" >&2
    CGO_ENABLED=0 go install "$versitygw"
  else
    missing="$missing $what"
  fi
done
[ -n "$missing" ] || exit 0

manager=
for m in apt-get dnf apk brew; do
  if command -v $m >/dev/null; then
    manager=$m
    break
  fi
done
wanted=
for what in $missing; do
  wanted="$wanted $(packages "$what" "${manager:-none}")"
done
give_up() {
  echo "prepare: missing:$missing. $1" >&2
  exit 1
}
[ -n "$manager" ] || give_up "Install it with your system's package manager."

as_root=
if [ "$manager" != brew ] && [ "$(id -u)" != 0 ]; then
  as_root="sudo -n"
  if ! command -v sudo >/dev/null || ! $as_root true 2>/dev/null; then
    give_up "Install it: $manager install$wanted (as root)."
  fi
fi
echo "prepare: installing$wanted with $manager" >&2
# shellcheck disable=SC2086 # the variables hold several words each
case $manager in
apt-get)
  # Only the programs: Debian's package would make and start a server of its own. This folder is read
  # by the scripts that would do so.
  no_server=/etc/postgresql-common/createcluster.d/ragify-prepare.conf
  trap '$as_root rm -f $no_server' EXIT
  $as_root mkdir -p "$(dirname $no_server)"
  echo "create_main_cluster = false" | $as_root tee $no_server >/dev/null
  $as_root apt-get update -q >&2 || true # an old list may still do
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $wanted >&2
  ;;
dnf) $as_root dnf install -y $wanted >&2 ;;
apk) $as_root apk add $wanted >&2 ;;
brew) brew install $wanted >&2 ;;
esac
for what in $missing; do
  has "$what" || give_up "The package manager has run, but $what is still not there."
done
