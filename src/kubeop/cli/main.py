"""The `kubeop` command. A group's file is imported only when it is named, so that an image needs only its own parts."""

from __future__ import annotations

import importlib
import sys

from kubeop import BUILD_VERSION
from kubeop.errors import KubeopError

# group -> what it is for. The file is kubeop/cli/<group>.py, its Typer application is called `app`.
GROUPS = {
    "dev": "Embedded clusters on this machine.",
    "manager": "The manager's API and its database.",
    "operator": "The controllers for Tenant and Project.",
    "webhook": "The admission webhook.",
    "keys": "Make keys, and tokens signed with them.",
    "deploy": "Print the platform's own objects.",
    "apply": "Apply manifests to a cluster.",
}


def main() -> None:
    """Run the command line; a KubeopError becomes one sentence on standard error and exit code 1."""
    group = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if group == "--version":
        sys.stdout.write(f"kubeop {BUILD_VERSION}\n")
    elif group in ("--help", "-h"):
        rows = "\n".join(f"  {name:<10}{purpose}" for name, purpose in GROUPS.items())
        sys.stdout.write(f"Usage: kubeop [--version] GROUP …\n\nRun many multi-tenant Kubernetes clusters.\n\n{rows}\n")
    elif group not in GROUPS:
        sys.stderr.write(f"kubeop: there is no group {group!r}. `kubeop --help` lists them.\n")
        sys.exit(2)
    else:
        app = importlib.import_module(f"kubeop.cli.{group}").app
        try:
            app(args=sys.argv[2:], prog_name=f"kubeop {group}")
        except KubeopError as error:
            sys.stderr.write(f"kubeop: {error}\n")
            sys.exit(1)
