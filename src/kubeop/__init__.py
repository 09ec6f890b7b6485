"""kubeop: the library and the services of kubeop.platform.

`__version__` is the release; KUBEOP_VERSION, set when an image is built, adds the build's branch and commit
(`MAJOR.MINOR.PATCH-dev.<branch>.<sha>`), and KUBEOP_COMMIT names the commit.
"""

from __future__ import annotations

import os
from importlib.metadata import version

__version__ = version("kubeop")
BUILD_VERSION = os.environ.get("KUBEOP_VERSION") or __version__
BUILD_COMMIT = os.environ.get("KUBEOP_COMMIT", "")
