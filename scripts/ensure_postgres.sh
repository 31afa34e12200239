#!/usr/bin/env bash
# Ends well when the tests will find a PostgreSQL server to run. On Debian, as root, it installs one.
set -euo pipefail

found() {
    command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null
}

found && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends postgresql </dev/null
    found && exit 0
fi
# Not an error: the tests that need one say so and are skipped.
echo 'medner: no PostgreSQL here (initdb); its tests will be skipped' >&2
