"""A container that does nothing, and goes on doing it."""

from __future__ import annotations

from kubeop.devcluster import builds


def pause_image() -> str:
    """An image that every embedded cluster has on its node, and whose container stays up."""
    pause = next(module for module in builds.MODULES if module.name == "pause")
    return f"localhost/kubeop/pause:{builds.version(pause)}"
