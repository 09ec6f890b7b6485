import pytest

from kubeop.kube.readiness import has_readiness, state


def obj(api_version, kind, status=None, spec=None, generation=1):
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": "x", "generation": generation},
        "spec": spec or {},
        "status": status or {},
    }


def deployment(generation=1, replicas=2, **status):
    return obj("apps/v1", "Deployment", {"observedGeneration": 1, **status}, {"replicas": replicas}, generation)


def stateful_set(strategy, **status):
    spec = {"replicas": 3, "updateStrategy": strategy}
    return obj("apps/v1", "StatefulSet", {"observedGeneration": 1, **status}, spec)


def daemon_set(strategy, **status):
    status = {"observedGeneration": 1, "desiredNumberScheduled": 3, **status}
    return obj("apps/v1", "DaemonSet", status, {"updateStrategy": {"type": strategy}})


def condition(kind, status, reason="", message="", **more):
    return {"conditions": [{"type": kind, "status": status, "reason": reason, "message": message, **more}]}


@pytest.mark.parametrize(
    ("live", "outcome"),
    [
        (deployment(replicas=2, updatedReplicas=2, availableReplicas=2), "ready"),
        (deployment(replicas=0), "ready"),
        (deployment(replicas=2, updatedReplicas=2, availableReplicas=1), "waiting"),
        (deployment(generation=2, updatedReplicas=2, availableReplicas=2), "waiting"),
        (deployment(updatedReplicas=1, availableReplicas=2), "waiting"),
        (deployment(**condition("Progressing", "False", "ProgressDeadlineExceeded", "too long")), "failed"),
        (deployment(**condition("ReplicaFailure", "True", "FailedCreate", "exceeded quota")), "waiting"),
        (obj("apps/v1", "StatefulSet", {"updatedReplicas": 1, "readyReplicas": 1, "observedGeneration": 1}), "ready"),
        (obj("apps/v1", "StatefulSet", {"updatedReplicas": 1, "observedGeneration": 1}), "waiting"),
        (obj("apps/v1", "DaemonSet", {"observedGeneration": 1, "desiredNumberScheduled": 1}), "waiting"),
        (stateful_set({"type": "OnDelete"}, updatedReplicas=0, readyReplicas=3), "ready"),
        (stateful_set({"type": "OnDelete"}, updatedReplicas=0, readyReplicas=2), "waiting"),
        (stateful_set({"rollingUpdate": {"partition": 2}}, updatedReplicas=1, readyReplicas=3), "ready"),
        (stateful_set({"rollingUpdate": {"partition": 2}}, updatedReplicas=0, readyReplicas=3), "waiting"),
        (stateful_set({"rollingUpdate": {"partition": 2}}, updatedReplicas=1, readyReplicas=2), "waiting"),
        (stateful_set({"rollingUpdate": {"partition": 9}}, updatedReplicas=0, readyReplicas=3), "ready"),
        (stateful_set({"rollingUpdate": {"partition": 0}}, updatedReplicas=2, readyReplicas=3), "waiting"),
        (daemon_set("OnDelete", updatedNumberScheduled=0, numberAvailable=3), "ready"),
        (daemon_set("OnDelete", updatedNumberScheduled=0, numberAvailable=2), "waiting"),
        (daemon_set("RollingUpdate", updatedNumberScheduled=2, numberAvailable=3), "waiting"),
        (daemon_set("RollingUpdate", updatedNumberScheduled=3, numberAvailable=3), "ready"),
        (obj("batch/v1", "Job", condition("Complete", "True")), "ready"),
        (obj("batch/v1", "Job", condition("Failed", "True", "BackoffLimitExceeded")), "failed"),
        (obj("batch/v1", "Job"), "waiting"),
        (obj("v1", "Namespace", {"phase": "Active"}), "ready"),
        (obj("v1", "Namespace", {"phase": "Terminating"}), "waiting"),
        (obj("apiextensions.k8s.io/v1", "CustomResourceDefinition", condition("Established", "True")), "ready"),
        (obj("apiextensions.k8s.io/v1", "CustomResourceDefinition"), "waiting"),
        (obj("apiextensions.k8s.io/v1", "CustomResourceDefinition", condition("NamesAccepted", "False")), "failed"),
        (obj("v1", "Pod", {"phase": "Running", **condition("Ready", "True")}), "ready"),
        (obj("v1", "Pod", {"phase": "Succeeded"}), "ready"),
        (obj("v1", "Pod", {"phase": "Failed", "reason": "Evicted"}), "failed"),
        (obj("v1", "ConfigMap"), "ready"),
        (obj("x.example/v1", "Thing"), "ready"),
        (obj("x.example/v1", "Thing", condition("Ready", "False", "Broken")), "waiting"),
        (obj("x.example/v1", "Thing", condition("Ready", "True", observedGeneration=1), generation=2), "waiting"),
        (obj("platform.kubeop.io/v1alpha1", "Project"), "waiting"),
        (obj("platform.kubeop.io/v1alpha1", "Project", condition("Ready", "True", observedGeneration=1)), "ready"),
    ],
)
def test_an_objects_status_says_how_it_is_doing(live, outcome):
    found = state(live)
    assert found.outcome == outcome
    assert bool(found.reason) is (outcome != "ready")


def test_a_quota_in_the_way_may_pass():
    assert state(deployment(**condition("ReplicaFailure", "True", "FailedCreate", "exceeded quota"))).doubtful


def test_what_is_ready_by_being_there_is_not_waited_for():
    assert not has_readiness(obj("v1", "ConfigMap"))
    assert not has_readiness(obj("networking.k8s.io/v1", "NetworkPolicy"))
    assert has_readiness(obj("apps/v1", "Deployment"))
