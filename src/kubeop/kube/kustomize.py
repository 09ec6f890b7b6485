"""A folder with a kustomization, built by what is there: `kustomize`, `kubectl`, or the kubectl of the cache."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from kubeop.errors import InputError
from kubeop.settings import cache_root

KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")

_SECONDS = 300  # bases may lie in Git repositories elsewhere
# What follows may be the value of a secret: kustomize repeats what it cannot use.
_REPEATED = re.compile(r"(literal source|[\[`]).*", re.DOTALL)


def is_kustomization(folder: Path) -> bool:
    """Whether kustomize would build this folder."""
    return any((folder / name).is_file() for name in KUSTOMIZATIONS)


def build(folder: Path) -> str:
    """The manifests that a kustomization stands for. Raises InputError for one of no use, or without a kustomize."""
    try:
        done = subprocess.run([*_command(), str(folder)], capture_output=True, text=True, check=False, timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        raise InputError(
            f"kustomize has not built {folder} within {_SECONDS} s.", hint="Check the repositories that it refers to."
        ) from None
    if done.returncode != 0:
        said = _REPEATED.sub("…", done.stderr.strip().removeprefix("error: ").removeprefix("Error: "))
        raise InputError(f"kustomize cannot build {folder}: {said}.", hint=f"See `kubectl kustomize {folder}`.")
    return done.stdout


def _command() -> list[str]:
    kustomize, kubectl = shutil.which("kustomize"), shutil.which("kubectl")
    if kustomize:
        return [kustomize, "build"]
    # One that `kubeop dev` has built, the newest.
    built = sorted((cache_root() / "binaries").glob("kubernetes-*/kubectl"), key=lambda path: path.stat().st_mtime)
    if kubectl or built:
        return [kubectl or str(built[-1]), "kustomize"]
    raise InputError(
        "A kustomization needs kubectl or kustomize, and neither is on PATH.",
        hint="Install one, or build it elsewhere and give the manifests: `kustomize build DIR | kubeop apply -f -`.",
    )
