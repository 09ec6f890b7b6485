"""kopf, imported without the official Kubernetes client.

kopf imports that client wherever it is installed, only to recognise its objects when a handler returns one. Ours never
do, and the import would cost every replica 16 MB and a third of its starting time.
"""

from __future__ import annotations

import sys

_CLIENT = "kubernetes"

if _CLIENT in sys.modules:
    import kopf
else:
    sys.modules[_CLIENT] = None  # type: ignore[assignment] # what makes an import say that a module is not there
    try:
        import kopf
    finally:
        del sys.modules[_CLIENT]  # exec plugins of a kubeconfig may need it later

__all__ = ["kopf"]
