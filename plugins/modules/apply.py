#!/usr/bin/python
# Copyright (c) 2026, kubeop maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bring objects to a cluster: only what differs, in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: apply
short_description: Bring objects to a cluster, only what differs
version_added: 0.1.0
author: kubeop maintainers (@kubeop)
description:
  - Reads what the cluster has with one list for each kind, compares the fields that are given, and puts only what
    differs, in parallel, by server-side apply.
  - Custom resource definitions go before namespaces, namespaces before the rest, and webhooks go last.
options:
  definitions:
    description:
      - The objects, as they would be written in a manifest.
      - One of O(definitions), O(content) and O(src) is needed; with several, all their objects are applied.
    type: list
    elements: dict
  src:
    description:
      - Files with manifests, YAML or JSON of one or many documents, on the machine that runs the module.
      - Of a folder, the files that end in C(.yaml), C(.yml) or C(.json) are read, in order of their names, and
        sub-folders are not.
      - A folder that holds a C(kustomization.yaml) is built by C(kustomize) or C(kubectl kustomize), whichever is on
        E(PATH), else by the C(kubectl) that C(kubeop dev) has built.
    type: list
    elements: path
  content:
    description:
      - Manifests as one text, YAML or JSON of one or many documents, as a template, C(helm template) or
        C(kustomize build) gives them.
    type: str
  force:
    description: Take over fields that another field manager owns, instead of failing with its name.
    type: bool
    default: false
  prune_label:
    description:
      - Also delete the objects with this label, such as C(app=web), that are not among those given. Check mode shows
        which. Nothing is deleted when anything has failed.
      - B(In all namespaces of the cluster), unless O(prune_namespaces) names some. When the same label is in use for
        several environments of one cluster, name the namespaces, or the objects of the others are deleted.
    type: str
  prune_namespaces:
    description:
      - With O(prune_label), delete in these namespaces only. It must not be an empty list.
    type: list
    elements: str
  prune_kinds:
    description:
      - With O(prune_label), delete objects of these kinds only, each with its API version, such as
        V(apps/v1/Deployment) or V(v1/ConfigMap). It must not be an empty list.
      - A kind outside of any namespace, such as V(rbac.authorization.k8s.io/v1/ClusterRole), cannot be pruned together
        with O(prune_namespaces).
      - By default, Deployments, StatefulSets, DaemonSets, CronJobs, Jobs, Services, ConfigMaps, Secrets,
        ServiceAccounts, RoleBindings, Roles, NetworkPolicies, Ingresses, PodDisruptionBudgets,
        HorizontalPodAutoscalers, ResourceQuotas and LimitRanges. Volumes, namespaces and custom resources are deleted
        only when their kind is named.
    type: list
    elements: str
  wait:
    description:
      - Wait until what was applied is ready, that is Deployments, StatefulSets and DaemonSets with all their new pods,
        Jobs that are done, Pods, Namespaces, custom resource definitions, API services, and custom resources that have
        a condition C(Ready).
      - The task fails as soon as it is certain that one will not become ready, such as for an image that cannot be
        pulled, and says why; else after O(wait_seconds). What was applied stays, and RV(changes) lists it.
      - Check mode waits for nothing.
    type: bool
    default: false
  wait_seconds:
    description: How long to wait at most, with O(wait).
    type: int
    default: 300
extends_documentation_fragment:
  - kubeop.platform.attributes
  - kubeop.platform.attributes.kubernetes
  - kubeop.platform.cluster
attributes:
  check_mode:
    support: full
    details:
      - The API server answers what would happen (a server-side dry run), so admission webhooks have their say, too.
  diff_mode:
    support: full
    details:
      - Managed fields are left out and the values of Secrets are masked.
  idempotent:
    support: full
seealso:
  - module: kubeop.platform.baseline
"""

EXAMPLES = r"""
---
- name: A ConfigMap is there
  kubeop.platform.apply:
    kubeconfig: /etc/kubeop/eu-1.kubeconfig
    definitions:
      - apiVersion: v1
        kind: ConfigMap
        metadata:
          name: motd
          namespace: default
        data:
          text: hello

- name: All manifests of a folder are there
  kubeop.platform.apply:
    kubeconfig: /etc/kubeop/eu-1.kubeconfig
    src:
      - manifests

- name: An overlay of kustomize is there
  kubeop.platform.apply:
    kubeconfig: /etc/kubeop/eu-1.kubeconfig
    src:
      - overlays/eu

- name: What a folder has is there, and runs
  kubeop.platform.apply:
    kubeconfig: /etc/kubeop/eu-1.kubeconfig
    src:
      - manifests
    wait: true
    wait_seconds: 120

- name: What a folder has is there, and what it no longer has is gone, in one of the namespaces
  kubeop.platform.apply:
    kubeconfig: /etc/kubeop/eu-1.kubeconfig
    src:
      - manifests/staging
    prune_label: app=web
    prune_namespaces:
      - staging

- name: Manifests that are a text are there
  kubeop.platform.apply:
    kubeconfig: /etc/kubeop/eu-1.kubeconfig
    content: |
      apiVersion: v1
      kind: ConfigMap
      metadata:
        name: motd-{{ inventory_hostname }}
        namespace: default
      data:
        text: hello
"""

RETURN = r"""
---
changes:
  description: What was created, updated or deleted, or would be in check mode. What already is as wanted is left out.
  returned: success, or when a part of the objects failed or the wait for them did
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
  returned: success, or when a part of the objects failed or the wait for them did
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
"""

from ansible_collections.kubeop.platform.plugins.module_utils import edge


def call(module):
    """One apply."""
    from kubeop import names
    from kubeop.kube import files
    from kubeop.kube.apply import Prune, apply
    from kubeop.kube.wait import wait_applied

    manifests = files.Manifests(objects=list(module.params["definitions"] or []))
    manifests.add_text(module.params["content"] or "", "the option content")
    for path in module.params["src"] or []:
        manifests.add(path)
    prune = Prune.asked(*(module.params[f"prune_{part}"] for part in ("label", "namespaces", "kinds")))
    with edge.cluster_client(module) as client:
        applied = apply(
            client,
            manifests.objects,
            field_manager=names.FIELD_MANAGER_ANSIBLE,
            force=module.params["force"],
            dry_run=module.check_mode,
            prune=prune,
            unread=manifests.faults,
        )
        if module.params["wait"]:
            wait_applied(client, applied, module.params["wait_seconds"])
    return edge.changed_result(module, applied)


ARGUMENTS = {
    **edge.cluster_options(),
    "definitions": {"type": "list", "elements": "dict"},
    "src": {"type": "list", "elements": "path"},
    "content": {"type": "str"},
    "force": {"type": "bool", "default": False},
    "prune_label": {"type": "str"},
    "prune_namespaces": {"type": "list", "elements": "str"},
    "prune_kinds": {"type": "list", "elements": "str"},
    "wait": {"type": "bool", "default": False},
    "wait_seconds": {"type": "int", "default": 300},
}
RULES = {"required_one_of": [("definitions", "content", "src")]}


def main():
    edge.run(call, ARGUMENTS, edge.Discreet, **RULES)


if __name__ == "__main__":
    main()
