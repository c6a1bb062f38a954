"""
Ashlar for the runner of the official WASI test suite itself, which takes its command lines from a module like this one:

    ./run-tests --runtime-adapter /path/to/ashlar/test/wasi/adapter.py --json-output-location report.json

ASHLAR is the command, by default the one that `npm run build` makes here. `npm run wasi-testsuite` needs neither Python nor
a build, and runs each test on both file systems and engines.
"""
import os
import shlex
import subprocess
from pathlib import Path

BUILT = Path(__file__).resolve().parents[2] / "dist" / "ashlar.js"
COMMAND = shlex.split(os.environ.get("ASHLAR", f"node {shlex.quote(str(BUILT))}"))


def get_name():
    return "ashlar"


def get_version():
    run = subprocess.run([*COMMAND, "--version"], capture_output=True, check=True, encoding="utf-8")
    return run.stdout.split(maxsplit=1)[1].strip()


def get_wasi_versions():
    return ["wasm32-wasip1"]


def get_wasi_worlds():
    return ["wasi:cli/command"]


def get_timeout_seconds():
    return 30


def compute_argv(test_path, args_env_root, proposals, wasi_world, wasi_version):
    args, env, root = args_env_root
    grants = [f"--env={name}={value}" for name, value in env.items()]
    if root:
        grants.append(f"--dir={root}::/")
    return [*COMMAND, "run", *grants, test_path, "--", *args]
