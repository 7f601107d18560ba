"""Variables of the caller's environment that reach a run: an allow-list, by name.

What changes how Python or the loader find code (`PYTHON*`, `LD_*`) is not on it: whoever asks for
a run could put a module of their own under the yardstick by it. Standard library only: it travels.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence

# What a program needs of its person and machine, and the knobs of numerical libraries.
ALWAYS = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_\w+|TZ|TZDIR|TERM|COLUMNS|HOSTNAME"
    r"|VIRTUAL_ENV|CONDA_\w+|CC|CXX|CUDAHOSTCXX"
    r"|(?:CUDA|CUDNN|CUBLAS|NVIDIA|NCCL|NVTE|HIP|ROCR|ROCM|HSA|GPU|MIOPEN|AMD|ONEAPI|SYCL|ZE|MPS|TPU"
    r"|XLA|JAX|TF|TORCH|TORCHINDUCTOR|TORCHDYNAMO|PYTORCH|TRITON|ATEN|GLOO|FI|UCX)_\w+"
    r"|(?:OMP|GOMP|KMP|MKL|OPENBLAS|BLIS|NUMEXPR|VECLIB|NUMBA|RAYON|POLARS|TBB)_\w+"
    r"|(?:HF|HUGGINGFACE|TRANSFORMERS|DATASETS|TOKENIZERS|ACCELERATE|TRL|BITSANDBYTES|TIKTOKEN)_\w+"
    r"|XDG_CACHE_HOME|NO_COLOR|COVERAGE_PROCESS_\w+"  # the last: tests measure scripts too
)
# What a program needs that talks to others; keys among them.
ONLINE = re.compile(
    r"(?i:https?_proxy|no_proxy|all_proxy|ftp_proxy)|SSL_CERT_(?:FILE|DIR)|REQUESTS_CA_BUNDLE"
    r"|CURL_CA_BUNDLE|\w+_API_(?:KEY|BASE|VERSION|URL)|\w+_BASE_URL|\w+_API_TOKEN"
    r"|(?:WANDB|AWS|AZURE|GOOGLE|VERTEX|OLLAMA|LITELLM|OPENAI|ANTHROPIC)_\w+"
)
# What brings code of the caller's choosing into a process; the one that judges does without.
CODE = re.compile(
    r"COVERAGE_\w+|CC|CXX|CUDAHOSTCXX|CUDA_INJECTION\w+|\w+_MODULES_CACHE|TORCH_EXTENSIONS_DIR"
    r"|(?:TORCHINDUCTOR|TRITON|NUMBA|XLA|JAX)_\w+|\w+_(?:NET|TUNER|PROFILER)_PLUGIN"
)
# What no number depends on.
INDIFFERENT = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_\w+|TZ|TZDIR|TERM|COLUMNS|HOSTNAME|VIRTUAL_ENV"
    r"|CONDA_\w+|XDG_CACHE_HOME|NO_COLOR|COVERAGE_\w+|CUDA_VISIBLE_DEVICES"
)


def judging(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a process that judges.

    >>> judging({"CC": "/tmp/cc", "OMP_NUM_THREADS": "1"})
    {'OMP_NUM_THREADS': '1'}
    """
    return {name: value for name, value in environ.items() if not CODE.fullmatch(name)}


def fingerprints(environ: Mapping[str, str]) -> dict[str, str]:
    """Return eight digits of the hash of each variable that a number may depend on, by name.

    >>> fingerprints({"HOME": "/home/ada", "OMP_NUM_THREADS": "8"})
    {'OMP_NUM_THREADS': '2c624232'}
    """
    return {
        name: hashlib.sha256(value.encode(errors="surrogateescape")).hexdigest()[:8]
        for name, value in sorted(environ.items())
        if value and not (INDIFFERENT.fullmatch(name) or ONLINE.fullmatch(name))
    }


def allowed(environ: Mapping[str, str], network: bool, more: Sequence[str] = ()) -> dict[str, str]:
    """Return the variables that a run gets; `more` are those its leaf asks for by name.

    >>> sorted(allowed({"PATH": "/bin", "LD_PRELOAD": "x", "OPENAI_API_KEY": "k"}, network=True))
    ['OPENAI_API_KEY', 'PATH']
    """
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith("LAB_")
        if name in more or ALWAYS.fullmatch(name) or (network and ONLINE.fullmatch(name))
    }
