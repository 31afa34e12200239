#!/usr/bin/env bash
# Label Studio in an environment of its own: it pins other versions than medner.
#
#   scripts/label_studio_environment.sh [FOLDER]      default .venv-label-studio
#
# Takes about 1 GB of disk.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=${1:-.venv-label-studio}
python=${PYTHON:-python3}
pins=scripts/label_studio_requirements.txt
done_mark=$folder/.medner-label-studio

if cmp -s "$pins" "$done_mark"; then
    echo "Label Studio is ready: $folder/bin/label-studio"
    exit 0
fi

echo "Installing Label Studio into $folder: a minute or two the first time, 1 GB of disk"
[[ -x $folder/bin/python ]] || "$python" -m venv "$folder"
"$folder/bin/python" -m pip --disable-pip-version-check --no-input --quiet install --requirement "$pins"
"$folder/bin/python" -c 'import label_studio'
cp "$pins" "$done_mark"
echo "Label Studio is ready: $folder/bin/label-studio"
