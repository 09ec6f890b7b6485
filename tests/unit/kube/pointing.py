"""A kubeconfig that points to a server of the test's own."""

from kubeop.kube.kubeconfig import load


def kubeconfig(url, user=None):
    return load(
        {
            "kind": "Config",
            "current-context": "x",
            "clusters": [{"name": "x", "cluster": {"server": url}}],
            "users": [{"name": "x", "user": user or {"token": "t0ken"}}],
            "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        }
    )
