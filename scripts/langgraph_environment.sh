#!/usr/bin/env bash
# LangGraph's development server with medner, in an environment of their own: it pins other versions than medner's tests.
#
#   scripts/langgraph_environment.sh [FOLDER]      default .venv-langgraph
#
# Takes about 0.6 GB of disk; no model is needed for the tests.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=${1:-.venv-langgraph}
python=${PYTHON:-python3}
pins=scripts/langgraph_requirements.txt
done_mark=$folder/.medner-langgraph

if cmp -s <(cat "$pins" pyproject.toml) "$done_mark"; then
    echo "LangGraph's server is ready: $folder/bin/langgraph"
    exit 0
fi

echo "Installing LangGraph's server into $folder: a minute the first time"
[[ -x $folder/bin/python ]] || "$python" -m venv "$folder"
"$folder/bin/python" -m pip --disable-pip-version-check --no-input --quiet install --requirement "$pins" --editable .
"$folder/bin/python" -c 'import langgraph_api, medner'
cat "$pins" pyproject.toml >"$done_mark"
echo "LangGraph's server is ready: $folder/bin/langgraph"
