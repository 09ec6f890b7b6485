"""The reconcile logic as a plain function on a real API server, without the process around it."""

from __future__ import annotations

from operator_helpers import project_object, whole

from kubeop import names
from kubeop.domain.policy import Policy
from kubeop.domain.quotas import Quota
from kubeop.kube.client import Client
from kubeop.operator.ledger import Ledger, Ref, digest
from kubeop.operator.projects import reconcile_project
from kubeop.operator.status import write_status
from kubeop.operator.survey import survey

NETWORK = "networking.k8s.io/v1"


def test_reconcile_project_is_a_function_of_what_is_there(kube: Client, tenant: str) -> None:
    """The same logic without the process: first it writes, then it finds everything right."""
    project = kube.create(project_object(tenant, "plain"))
    ledger = Ledger()
    status = reconcile_project(kube, project, Policy(egress_baseline=("10.1.0.0/16",)), ledger)
    assert (status.ready, status.reason, status.repaired) == (True, "BaselineApplied", ())
    assert whole(kube, tenant, "plain", egress_cidrs=("10.1.0.0/16",))
    assert len(ledger) == 5
    project = kube.get(names.GROUP_VERSION, "Project", f"{tenant}-plain")
    assert project is not None
    kube.delete(NETWORK, "NetworkPolicy", names.NETWORK_POLICY_EGRESS, f"kubeop-{tenant}-plain")
    policy = Policy(egress_baseline=("10.1.0.0/16",))
    assert reconcile_project(kube, project, policy).repaired == ("NetworkPolicy/kubeop-egress",)
    assert reconcile_project(kube, project, policy).repaired == ()
    too_big = kube.create(project_object(tenant, "big", {"cpu": "64"}))
    refused = reconcile_project(kube, too_big, Policy(quota_max=Quota("8")))
    assert (refused.ready, refused.reason) == (False, "QuotaTooLarge")
    assert kube.get("v1", "Namespace", f"kubeop-{tenant}-big") is None


def test_a_status_is_written_once(kube: Client, tenant: str) -> None:
    project = kube.create(project_object(tenant, "plain"))
    status = reconcile_project(kube, project, Policy())
    written = write_status(kube, project, status)
    again = write_status(kube, written, reconcile_project(kube, written, Policy()))
    assert again["metadata"]["resourceVersion"] == written["metadata"]["resourceVersion"]
    assert again["status"]["conditions"][0]["observedGeneration"] == written["metadata"]["generation"]


def test_a_survey_tells_which_projects_need_a_look(kube: Client, tenant: str) -> None:
    listed = []
    for name in ("fine", "broken", "edited", "new"):
        project = kube.create(project_object(tenant, name))
        if name != "new":
            write_status(kube, project, reconcile_project(kube, project, Policy()))
        listed.append(kube.get(names.GROUP_VERSION, "Project", f"{tenant}-{name}") or {})
    kube.delete(NETWORK, "NetworkPolicy", names.NETWORK_POLICY_INGRESS, f"kubeop-{tenant}-broken")
    kube.patch("v1", "Namespace", f"kubeop-{tenant}-edited", {"metadata": {"labels": {names.LABEL_TENANT: "x"}}})
    ledger = Ledger()
    assert survey(kube, listed, Policy(), ledger) == {f"{tenant}-{name}" for name in ("broken", "edited", "new")}
    fine = listed[0]
    assert ledger.knows(Ref.of(fine), digest(fine))
    assert not ledger.knows(Ref.of(listed[1]), digest(listed[1]))
    # Under another policy nothing is as it should be.
    assert len(survey(kube, listed, Policy(egress_baseline=("10.9.0.0/16",)), Ledger())) == 4
