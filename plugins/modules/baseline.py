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
options:
  namespaces:
    description: The namespaces; each is created if it is not there.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The namespace's name; without it, C(kubeop-<tenant>-<project>).
        type: str
      tenant:
        description: The tenant that owns the namespace.
        type: str
        required: true
      project:
        description: The tenant's project that the namespace belongs to.
        type: str
        required: true
      quota:
        description: What the namespace may use at most. What is left out is the platform's default.
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
      egress_cidrs:
        description:
          - Networks that its pods may reach, besides DNS.
          - Without it, those of O(egress_cidrs).
        type: list
        elements: str
      pod_security:
        description: The Pod Security level that is enforced.
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
    description: Take over fields that another field manager owns, instead of failing with its name.
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

- name: Has anything drifted?
  kubeop.platform.baseline:
    kubeconfig: /etc/kubeop/eu-1.kubeconfig
    namespaces:
      - name: team-a
        tenant: a
        project: shop
  check_mode: true
  register: report
"""

RETURN = r"""
---
changes:
  description: What was created, updated or deleted, or would be in check mode. What already is as wanted is left out.
  returned: success
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
  returned: success
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
  returned: success
  type: list
  elements: str
  sample: [NetworkPolicy team-a/kubeop-egress]
"""

from ansible_collections.kubeop.platform.plugins.module_utils import edge


def call(module):
    """Baselines as data, then one apply."""
    from kubeop import names
    from kubeop.domain import baseline
    from kubeop.kube.apply import apply

    wanted = [record(module, item) for item in module.params["namespaces"]]
    with edge.cluster_client(module) as client:
        applied = apply(
            client,
            [obj for item in wanted for obj in baseline.objects(item)],
            field_manager=names.FIELD_MANAGER_ANSIBLE,
            force=module.params["force"],
            dry_run=module.check_mode,
        )
    # What only gets another owner is as wanted: a project's namespace belongs to the operator.
    created = {change.name for change in applied.changes if (change.kind, change.action) == ("Namespace", "create")}
    drifted = [
        change
        for change in applied.changes
        if change.before != change.after and (change.namespace or change.name) not in created
    ]
    return {
        **edge.changed_result(module, applied),
        "drifted": [f"{change.kind} {change.namespace or change.name}/{change.name}" for change in drifted],
    }


def record(module, item):
    """An item of C(namespaces) as the library's record."""
    from kubeop import names
    from kubeop.domain.baseline import Baseline
    from kubeop.domain.quotas import Quota

    cidrs = item["egress_cidrs"]
    return Baseline(
        namespace=item["name"] or names.project_namespace(item["tenant"], item["project"]),
        tenant=item["tenant"],
        project=item["project"],
        cluster=module.params["cluster_name"],
        quota=Quota.of(item["quota"]),
        egress_cidrs=tuple(module.params["egress_cidrs"] if cidrs is None else cidrs),
        pod_security=item["pod_security"],
    )


def main():
    namespace = {
        "name": {"type": "str"},
        "tenant": {"type": "str", "required": True},
        "project": {"type": "str", "required": True},
        "egress_cidrs": {"type": "list", "elements": "str"},
        "pod_security": {"type": "str", "choices": ["restricted", "baseline", "privileged"], "default": "restricted"},
        **edge.quota_options(),
    }
    edge.run(
        call,
        {
            **edge.cluster_options(),
            "namespaces": {"type": "list", "elements": "dict", "required": True, "options": namespace},
            "egress_cidrs": {"type": "list", "elements": "str", "default": []},
            "cluster_name": {"type": "str", "default": ""},
            "force": {"type": "bool", "default": False},
        },
    )


if __name__ == "__main__":
    main()
