"""What `make` does before there is an environment: which torch comes, and that it asks first."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CUDA = '{"install": [{"metadata": {"name": "nvidia-cublas"}}, {"metadata": {"name": "torch"}}]}'
CPU = '{"install": [{"metadata": {"name": "torch"}}]}'
without_gpu = pytest.mark.skipif(Path("/dev/nvidia0").exists(), reason="this machine has a GPU")


def install(folder: Path, report: str, *, there: bool = False, **env: str) -> tuple[int, str, str]:
    """Run .ci/torch with a pip that would bring `report`; return exit code, output, what it did."""
    done = folder / "done"
    done.touch()
    scripts = {
        "pip": f'case "$*" in *--dry-run*) echo \'{report}\';; *) echo "$*" >> {done};; esac',
        "python": 'echo "keeping torch 2.11.0"' if there else "exit 1",
        "nvidia-smi": "exit 9",
    }
    for name, body in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    ran = subprocess.run(
        ["sh", ".ci/torch", str(folder / "python")],
        cwd=ROOT,
        env={"PATH": f"{folder}:/usr/bin:/bin", "PIP": str(folder / "pip"), **env},
        capture_output=True,
        text=True,
    )
    return ran.returncode, ran.stdout + ran.stderr, done.read_text()


def test_the_tested_torch_comes_first_and_by_itself(tmp_path):
    code, _, did = install(tmp_path, CPU)
    assert (code, did) == (0, "install -c constraints.txt torch==2.13.0\n")


@without_gpu
def test_a_machine_without_a_gpu_gets_no_cuda_build_unasked(tmp_path):
    code, said, did = install(tmp_path, CUDA)
    assert (code, did) == (1, "")
    assert "this machine has no NVIDIA GPU" in said
    assert install(tmp_path, CUDA, CUDA_ANYWAY="1")[0] == 0


def test_a_torch_that_is_there_is_kept(tmp_path):
    assert install(tmp_path, CUDA, there=True) == (0, "keeping torch 2.11.0\n", "")


def test_make_names_its_commands():
    said = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    names = {line.split()[1] for line in said.stdout.splitlines()}
    assert {"demo", "test", "check", "docs"} <= names


def test_where_a_gpus_torch_cannot_be_had_the_check_is_skipped_by_name(tmp_path):
    python = tmp_path / "python"  # it makes an environment whose pip finds nothing
    none = 'mkdir -p "$3/bin"; printf "#!/bin/sh\\nexit 1\\n" > "$3/bin/python"'
    body = f'{none}; chmod +x "$3/bin/python"'
    python.write_text(f"#!/bin/sh\n{body}\n")
    python.chmod(0o755)
    ran = subprocess.run(
        ["sh", ".ci/check-gpu", str(tmp_path / "venv")],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PYTHON": str(python)},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("skipped: torch 2.11.0 for CUDA 13 with triton 3.6.0")
