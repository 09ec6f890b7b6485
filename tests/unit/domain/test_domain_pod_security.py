import copy

import pytest

from kubeop.domain import pod_security

GOOD = {
    "containers": [
        {
            "name": "app",
            "image": "localhost/app:1",
            "ports": [{"containerPort": 8080}],
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "privileged": False,
                "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
            },
        }
    ],
    "volumes": [{"name": "tmp", "emptyDir": {}}],
}


def test_a_careful_pod_is_fine():
    assert pod_security.violations(GOOD) == []


@pytest.mark.parametrize("key", ["hostNetwork", "hostPID", "hostIPC"])
def test_the_nodes_namespaces_are_named(key):
    (violation,) = pod_security.violations({**GOOD, key: True}, "spec.template.spec")
    assert violation.path == f"spec.template.spec.{key}"
    assert "remove it" in violation.message


def test_a_host_path_is_named_with_what_to_use():
    pod = {**GOOD, "volumes": [{"name": "ok", "emptyDir": {}}, {"name": "root", "hostPath": {"path": "/"}}]}
    (violation,) = pod_security.violations(pod)
    assert violation.path == "spec.volumes[1]"
    assert "'root'" in violation.message
    assert "emptyDir" in violation.message


@pytest.mark.parametrize("group", ["containers", "initContainers", "ephemeralContainers"])
@pytest.mark.parametrize(
    ("context", "field"),
    [
        ({"privileged": True}, "privileged"),
        ({"allowPrivilegeEscalation": True}, "allowPrivilegeEscalation"),
        ({"procMount": "Unmasked"}, "procMount"),
        ({"capabilities": {"add": ["CAP_SYS_ADMIN"]}}, "capabilities.add"),
        ({"capabilities": {"add": ["ALL"]}}, "capabilities.add"),
        ({"windowsOptions": {"hostProcess": True}}, "windowsOptions.hostProcess"),
    ],
)
def test_each_kind_of_container_is_looked_at(group, context, field):
    pod = copy.deepcopy(GOOD)
    pod[group] = [{"name": "bad", "securityContext": context}]
    (violation,) = pod_security.violations(pod)
    assert violation.path == f"spec.{group}[0].securityContext.{field}"
    assert "'bad'" in violation.message


def test_a_port_of_the_node_is_refused():
    pod = {"containers": [{"name": "web", "ports": [{"containerPort": 80}, {"containerPort": 81, "hostPort": 81}]}]}
    (violation,) = pod_security.violations(pod)
    assert violation.path == "spec.containers[0].ports[1].hostPort"


def test_a_pod_that_says_nothing_has_no_violation_here():
    assert pod_security.violations({}) == []
    assert pod_security.violations({"containers": None, "volumes": None}) == []


def test_every_violation_is_told_at_once():
    pod = {"hostPID": True, "containers": [{"name": "a", "securityContext": {"privileged": True}}, {"name": "b"}]}
    assert len(pod_security.violations(pod)) == 2
