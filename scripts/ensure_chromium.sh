#!/usr/bin/env bash
# Ends well when the browser tests will find a Chromium. On Debian, as root, it installs one; elsewhere it says how.
set -euo pipefail

found() {
    if [ -n "${MEDNER_CHROMIUM:-}" ]; then
        [ -x "$MEDNER_CHROMIUM" ] || { echo "medner: MEDNER_CHROMIUM=$MEDNER_CHROMIUM is no program" >&2; exit 1; }
        return 0
    fi
    for name in chromium chromium-browser google-chrome; do
        command -v "$name" >/dev/null && return 0
    done
    return 1
}

found && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # The fonts: without one that has Chinese, the page is tested with empty boxes.
    apt-get install -y -qq --no-install-recommends chromium fonts-noto-cjk </dev/null
    found && exit 0
fi
cat >&2 <<'END'
medner: the browser tests need Chromium or Chrome, and none is here.
  Debian, Ubuntu:  sudo apt-get install -y chromium fonts-noto-cjk
  Fedora:          sudo dnf install -y chromium google-noto-sans-cjk-fonts
  macOS:           brew install --cask chromium
  anywhere else:   set MEDNER_CHROMIUM to the program's path
END
exit 1
