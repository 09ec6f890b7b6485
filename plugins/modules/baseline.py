#!/usr/bin/python
# Copyright (c) 2026, kubeop maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every namespace of a list gets its whole baseline, in one call for a whole cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: baseline
short_description: Give namespaces their baseline, a whole cluster in one call
version_added: 0.1.0
author: kubeop maintainers (@kubeop)
description:
  - The baseline of a namespace is its ownership and Pod Security labels, the LimitRange C(kubeop-defaults), the
    ResourceQuota C(kubeop-quota) and the NetworkPolicies C(kubeop-egress) and C(kubeop-ingress).
  - All namespaces are read with one list for each kind, and only what is missing or was edited is put back.
  - A policy that O(namespaces[].network_policies) no longer lists is deleted. Nothing else is.
  - Only the fields that the baseline names are compared. What somebody has added beside them (a further Pod Security
    label, another rule in the quota) stays and is no drift here; in a project's namespace the operator takes it out.
options:
  namespaces:
    description:
      - The namespaces, by O(namespaces[].name), or picked among those that are there by O(namespaces[].pattern) and
        O(namespaces[].label_selector).
      - A namespace that several entries mean gets the baseline of the one that names it, else of the first.
      - What the system runs in (C(kube-*), C(openshift-*), C(default), C(kubeop-system)) is never picked, and neither
        are namespaces of projects or those that are being deleted. RV(left_alone) lists them.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - The namespace's name. It is created if it is not there.
          - Without it, O(namespaces[].pattern) and O(namespaces[].label_selector), it is C(kubeop-<tenant>-<project>).
        type: str
      pattern:
        description: Every namespace whose name matches, such as V(team-*). With a label selector, both must match.
        type: str
      label_selector:
        description: Every namespace with these labels, such as V(team=a,stage!=dev).
        type: str
      tenant:
        description:
          - The tenant that owns the namespace.
          - A picked namespace stays its tenant's by its labels; one of another tenant is skipped. Without a tenant, a
            namespace is nobody's and gets no labels of an owner.
        type: str
      project:
        description: The tenant's project that the namespace belongs to; of a picked one, by default its name.
        type: str
      preset:
        description:
          - What the namespace gets unless the entry says otherwise; without it, that of O(preset).
        type: str
        choices: [restricted, baseline, privileged]
      quota:
        description: What the namespace may use at most. What is left out is the preset's.
        type: dict
        suboptions:
          cpu:
            description: CPU as a Kubernetes quantity, such as V(2) or V(500m).
            type: str
          memory:
            description: Memory as a Kubernetes quantity, such as V(2Gi).
            type: str
          pods:
            description: Number of pods.
            type: int
      limit_range:
        description:
          - What a container gets that says nothing. The quota's limits are in the same proportion to its requests.
        type: dict
        suboptions:
          cpu_request:
            description: CPU that is requested.
            type: str
            default: 100m
          memory_request:
            description: Memory that is requested.
            type: str
            default: 64Mi
          cpu_limit:
            description: The limit for CPU.
            type: str
            default: 500m
          memory_limit:
            description: The limit for memory.
            type: str
            default: 256Mi
      network_policies:
        description:
          - NetworkPolicies beside those of the preset, which only ever open more; one that is named C(kubeop-egress)
            or C(kubeop-ingress) takes that one's place.
        type: list
        elements: dict
        suboptions:
          name:
            description: The policy's name.
            type: str
            required: true
          spec:
            description: The policy's C(spec). Without a C(podSelector) it is for all pods.
            type: dict
            required: true
      egress_cidrs:
        description:
          - Networks that its pods may reach, besides DNS.
          - Without it, those of O(egress_cidrs).
        type: list
        elements: str
      pod_security:
        description: The Pod Security level that is enforced; without it, that of the preset.
        type: str
        choices: [restricted, baseline, privileged]
  preset:
    description:
      - V(restricted) is the baseline of projects. Its pods talk to each other, to DNS and to O(egress_cidrs), it has a
        quota of 1 CPU, 1Gi and 10 pods, and Pod Security V(restricted).
      - V(baseline) lets pods talk to all pods of the cluster, with 4 CPUs, 8Gi and 40 pods, and Pod Security
        V(baseline).
      - V(privileged) does not limit the network, with 8 CPUs, 16Gi and 80 pods, and Pod Security V(privileged).
    type: str
    choices: [restricted, baseline, privileged]
    default: restricted
  egress_cidrs:
    description: Networks that the pods of every namespace may reach, besides DNS, unless the namespace has its own.
    type: list
    elements: str
    default: []
  cluster_name:
    description: The cluster's name with the manager, for the label C(app.kubeop.io/cluster-id).
    type: str
    default: ""
  force:
    description:
      - Take over fields that another field manager owns. Without it, a field that somebody has edited stays so, and the
        module fails with the owner's name, in check mode too. RV(drift) and the other values are returned nevertheless.
    type: bool
    default: false
extends_documentation_fragment:
  - kubeop.platform.attributes
  - kubeop.platform.attributes.kubernetes
  - kubeop.platform.cluster
attributes:
  check_mode:
    support: full
    details:
      - The API server answers what would happen (a server-side dry run).
  diff_mode:
    support: full
    details:
      - Managed fields are left out.
  idempotent:
    support: full
seealso:
  - module: kubeop.platform.project
    description: Projects have the same baseline, kept up by the operator.
"""

EXAMPLES = r"""
---
- name: Two namespaces have their baseline
  kubeop.platform.baseline:
    kubeconfig: /etc/kubeop/eu-1.kubeconfig
    egress_cidrs: [10.20.0.0/16]
    namespaces:
      - name: team-a
        tenant: a
        project: shop
      - name: team-b
        tenant: b
        project: billing
        quota: {cpu: "4", memory: 8Gi, pods: 40}
        pod_security: baseline

- name: Namespaces that are there have one, too
  kubeop.platform.baseline:
    kubeconfig: /etc/kubeop/eu-1.kubeconfig
    namespaces:
      - pattern: team-*
        label_selector: stage=prod
        limit_range: {memory_request: 128Mi, memory_limit: 512Mi}
        network_policies:
          - name: from-ingress
            spec:
              policyTypes: [Ingress]
              ingress:
                - from:
                    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ingress}}
      - name: ingress
        preset: baseline

- name: Has anything drifted?
  kubeop.platform.baseline:
    kubeconfig: /etc/kubeop/eu-1.kubeconfig
    namespaces:
      - name: ingress
        preset: baseline
  check_mode: true
  register: report
"""

RETURN = r"""
---
changes:
  description: What was created, updated or deleted, or would be in check mode. What already is as wanted is left out.
  returned: success, and when some objects could not be applied
  type: list
  elements: dict
  contains:
    action:
      description: V(create), V(update) or V(delete).
      type: str
      returned: always
    api_version:
      description: The object's API version.
      type: str
      returned: always
    kind:
      description: The object's kind.
      type: str
      returned: always
    namespace:
      description: The object's namespace; empty for an object of the whole cluster.
      type: str
      returned: always
    name:
      description: The object's name.
      type: str
      returned: always
  sample:
    - action: update
      api_version: networking.k8s.io/v1
      kind: NetworkPolicy
      namespace: team-a
      name: kubeop-egress
counts:
  description: How many objects there were for each action.
  returned: success, and when some objects could not be applied
  type: dict
  contains:
    create:
      description: Objects that were not there.
      type: int
      returned: always
    update:
      description: Objects that differed.
      type: int
      returned: always
    unchanged:
      description: Objects that were already as wanted.
      type: int
      returned: always
    delete:
      description: Objects that were removed.
      type: int
      returned: always
  sample:
    create: 0
    update: 1
    unchanged: 9
    delete: 0
drifted:
  description: What was missing or not as wanted in namespaces that were there, as C(kind namespace/name).
  returned: success, and when some objects could not be applied
  type: list
  elements: str
  sample: [NetworkPolicy team-a/kubeop-egress]
drift:
  description:
    - The same, with what was wrong. Diff mode shows the values.
    - When objects could not be applied, nothing is deleted, and no policy is told as V(unlisted).
  returned: success, and when some objects could not be applied
  type: list
  elements: dict
  contains:
    namespace:
      description: The namespace.
      type: str
      returned: always
    kind:
      description: The object's kind.
      type: str
      returned: always
    name:
      description: The object's name.
      type: str
      returned: always
    problem:
      description: V(missing), V(edited), or V(unlisted) for a policy that is no longer listed.
      type: str
      returned: always
    fields:
      description: The fields that were not as wanted; none of an object that was missing.
      type: list
      elements: str
      returned: always
    owners:
      description:
        - The field managers that own what was edited, such as V(kubectl-edit), and because of whom it was not put back.
          O(force) takes it over.
      type: list
      elements: str
      returned: always
  sample:
    - namespace: team-a
      kind: ResourceQuota
      name: kubeop-quota
      problem: edited
      fields: ["spec.hard[requests.cpu]"]
      owners: []
failures:
  description: Why objects could not be applied, a sentence for each. The others were.
  returned: when some objects could not be applied
  type: list
  elements: str
governed:
  description:
    - The namespaces that have the baseline now (or would have it, in check mode), besides what RV(failures) says.
  returned: success, and when some objects could not be applied
  type: list
  elements: str
  sample: [team-a, team-b]
left_alone:
  description: The namespaces that were picked and left alone, with the reason.
  returned: success, and when some objects could not be applied
  type: dict
  sample: {kube-system: it is part of the system}
"""

from ansible_collections.kubeop.platform.plugins.module_utils import edge


def call(module):
    """One call for all namespaces."""
    from kubeop import names
    from kubeop.errors import PartlyDone
    from kubeop.manager import baselines

    wishes = [wish(module, item) for item in module.params["namespaces"]]
    with edge.cluster_client(module) as client:
        try:
            governed = baselines.ensure(
                client,
                wishes,
                cluster=module.params["cluster_name"],
                field_manager=names.FIELD_MANAGER_ANSIBLE,
                force=module.params["force"],
                dry_run=module.check_mode,
            )
        except PartlyDone as error:
            return {**report(module, error.result), **edge.failure(error)}
    return report(module, governed)


def report(module, governed):
    """What was changed, and what had drifted."""
    return {
        **edge.changed_result(module, governed.applied),
        "drifted": [str(one) for one in governed.drift],
        "drift": [
            {
                "namespace": one.namespace,
                "kind": one.kind,
                "name": one.name,
                "problem": one.problem,
                "fields": list(one.fields),
                "owners": list(one.owners),
            }
            for one in governed.drift
        ],
        "governed": list(governed.namespaces),
        "left_alone": dict(governed.skipped),
    }


def wish(module, item):
    """An item of C(namespaces) as the library's record."""
    from kubeop.domain.baseline import ContainerDefaults
    from kubeop.domain.quotas import Quota
    from kubeop.manager.baselines import Wish

    cidrs = item["egress_cidrs"]
    texts = ("name", "pattern", "label_selector", "tenant", "project", "pod_security")
    return Wish(
        **{name: item[name] or "" for name in texts},
        preset=item["preset"] or module.params["preset"],
        quota=Quota.of(item["quota"]),
        containers=ContainerDefaults(**(item["limit_range"] or {})),
        network_policies={policy["name"]: policy["spec"] for policy in item["network_policies"] or []},
        egress_cidrs=tuple(module.params["egress_cidrs"] if cidrs is None else cidrs),
    )


LEVEL = {"type": "str", "choices": ["restricted", "baseline", "privileged"]}
CONTAINERS = {"cpu_request": "100m", "memory_request": "64Mi", "cpu_limit": "500m", "memory_limit": "256Mi"}
POLICY = {"name": {"type": "str", "required": True}, "spec": {"type": "dict", "required": True}}
NAMESPACE = {
    "name": {"type": "str"},
    "pattern": {"type": "str"},
    "label_selector": {"type": "str"},
    "tenant": {"type": "str"},
    "project": {"type": "str"},
    "preset": LEVEL,
    **edge.quota_options(),
    "limit_range": {
        "type": "dict",
        "options": {name: {"type": "str", "default": amount} for name, amount in CONTAINERS.items()},
    },
    "network_policies": {"type": "list", "elements": "dict", "options": POLICY},
    "egress_cidrs": {"type": "list", "elements": "str"},
    "pod_security": LEVEL,
}
ARGUMENTS = {
    **edge.cluster_options(),
    "namespaces": {"type": "list", "elements": "dict", "required": True, "options": NAMESPACE},
    "preset": {**LEVEL, "default": "restricted"},
    "egress_cidrs": {"type": "list", "elements": "str", "default": []},
    "cluster_name": {"type": "str", "default": ""},
    "force": {"type": "bool", "default": False},
}
RULES = {}


def main():
    edge.run(call, ARGUMENTS, **RULES)


if __name__ == "__main__":
    main()
