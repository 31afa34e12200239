"""Which number format a machine gets: measured once, kept, measured again on another machine."""

import json
import os
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")
from medner.agents.engines.local.formats import FormatTimes, formats_by_speed, machine_name, measured_formats
from medner.agents.engines.local.integer.int8 import is_exact

CPU = torch.device("cpu")


def test_the_measurement_is_kept(tmp_path):
    """The second process reads what the first has measured, in a folder that did not exist."""
    kept = tmp_path / "data" / "formats.json"
    first = measured_formats(kept)
    assert {"f32", "bf16"} <= set(first.microseconds)
    assert ("int8" in first.microseconds) == is_exact()
    assert json.loads(kept.read_text()) == {machine_name(): dict(first.microseconds)}
    kept.write_text(json.dumps({machine_name(): {"f32": 1.0, "bf16": 2.0}}))
    assert formats_by_speed(CPU, kept=kept) == ("f32", "bf16")


@pytest.mark.parametrize("text", ["", "[]", '{"x": 3}', '{"%s": {}}', '{"%s": {"f32": "fast"}}', "\x00"])
def test_a_damaged_file_is_measured_again(tmp_path, text):
    """Whatever stands in it; what was kept of other machines stays where it can be read."""
    kept = tmp_path / "formats.json"
    kept.write_text(text.replace("%s", machine_name()))
    assert set(measured_formats(kept).microseconds) >= {"f32", "bf16"}
    assert machine_name() in json.loads(kept.read_text())


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path):
    """It is measured in each process."""
    (tmp_path / "file").write_text("")
    assert measured_formats(tmp_path / "file" / "formats.json").order


def test_int8_wins_unless_another_is_clearly_faster():
    """It saves memory and loading time as well, and a busy machine measures with noise."""
    assert FormatTimes("", {"bf16": 38.0, "int8": 39.0, "f32": 200.0}).order == ("int8", "bf16", "f32")
    assert FormatTimes("", {"bf16": 10.0, "int8": 39.0, "f32": 20.0}).order == ("bf16", "f32", "int8")


@pytest.mark.skipif(not is_exact(), reason="this processor has no exact integer kernels")
def test_kernels_that_overflow_are_found_out(tmp_path):
    """Without the instructions for dot products of bytes, sums overflow in 16 bits: no int8 there."""
    code = "from medner.agents.engines.local.formats import measured_formats as m; print(*m().order)"
    cases = [(switch, isa) for switch in ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA") for isa in ("AVX2", "AVX512_CORE")]
    running = {}
    for switch, isa in cases:  # all at once: most of their time is torch's import
        cache = str(tmp_path / f"{switch}-{isa}")
        environment = {**os.environ, switch: isa, "MEDNER_CACHE": cache, "OMP_NUM_THREADS": "1"}
        running[switch, isa] = subprocess.Popen(  # noqa: S603
            [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True
        )
    found = {case: (set(process.communicate()[0].split()), process.returncode) for case, process in running.items()}
    assert found == dict.fromkeys(cases, ({"f32", "bf16"}, 0))
