#!/usr/bin/env bash
# Ends well when the tests of Spark will find a Java. On Debian, as root, it installs one.
set -euo pipefail

command -v java >/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends openjdk-17-jre-headless </dev/null
    command -v java >/dev/null && exit 0
fi
# Not an error: the tests that need one say so and are skipped.
echo 'medner: no Java here; the tests of Spark will be skipped' >&2
