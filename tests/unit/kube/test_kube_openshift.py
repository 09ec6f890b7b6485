import subprocess
import sys

import pytest

from kubeop.errors import ClusterError
from kubeop.kube.client import Client
from kubeop.kube.openshift import CLUSTER_RESOURCE_QUOTA, QUOTA_API, OpenShift

NOWHERE = {
    "current-context": "c",
    "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
    "users": [{"name": "u", "user": {"token": "s3cret"}}],
    "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
}


def test_without_the_package_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "openshift.dynamic", None)  # what makes an import say that it is not there
    with Client.from_kubeconfig(NOWHERE) as client, pytest.raises(ClusterError) as caught:
        OpenShift(client).get(QUOTA_API, CLUSTER_RESOURCE_QUOTA, "kubeop-acme")
    assert caught.value.message == "The cluster is an OpenShift, and the Python package openshift is not installed."
    assert "pip install kubeop[openshift]" in caught.value.hint


def test_the_package_is_imported_only_when_it_is_used():
    code = "import sys, kubeop.operator.controllers; print({'openshift', 'kubernetes'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
