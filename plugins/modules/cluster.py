#!/usr/bin/python
# Copyright (c) 2026, kubeop maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cluster is registered with the manager, with the kubeconfig that is given, or is not."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: cluster
short_description: Register a cluster with the manager
version_added: 0.1.0
author: kubeop maintainers (@kubeop)
description:
  - The manager keeps the kubeconfig sealed and puts the operator and the admission webhook into the cluster.
  - A registration whose kubeconfig, labels or choices differ is updated.
options:
  name:
    description: The cluster's name; a DNS label.
    type: str
    required: true
  state:
    description: Whether the cluster is registered. Removing a cluster that still has tenants is refused.
    type: str
    choices: [present, absent]
    default: present
  auto_bootstrap:
    description: Let the manager put custom resource definitions, operator and policy into the cluster.
    type: bool
    default: true
  install_admission:
    description: Let the manager put the admission webhook into the cluster.
    type: bool
    default: true
  labels:
    description:
      - All labels that the manager keeps of the cluster, such as C(region) and C(ring), as Kubernetes takes labels.
      - V({}) removes them; left out, they stay as they are.
      - The inventory plugin P(kubeop.platform.clusters#inventory) makes groups of them. The cluster never sees them.
    type: dict
  wait_seconds:
    description: Wait so long at most until operator and admission are ready in the cluster; V(0) does not wait.
    type: int
    default: 300
extends_documentation_fragment:
  - kubeop.platform.attributes
  - kubeop.platform.attributes.kubernetes_manager
  - kubeop.platform.cluster
  - kubeop.platform.manager
attributes:
  check_mode:
    support: full
    details:
      - The manager answers what would happen.
  diff_mode:
    support: full
    details:
      - The kubeconfig is never shown; the diff says that it differs.
  idempotent:
    support: full
seealso:
  - module: kubeop.platform.cluster_info
"""

EXAMPLES = r"""
---
- name: The cluster is registered, its operator and admission are ready
  kubeop.platform.cluster:
    name: eu-1
    kubeconfig: /etc/kubeop/eu-1.kubeconfig
    labels:
      region: eu
      ring: 1_dev
    manager_kubeconfig: /etc/kubeop/control.kubeconfig
    manager_token: "{{ kubeop_jwt_signing_key | kubeop.platform.admin_token }}"

- name: The cluster is forgotten
  kubeop.platform.cluster:
    name: eu-1
    state: absent
    manager_url: https://kubeop.example.com
    manager_token: "{{ kubeop_jwt_signing_key | kubeop.platform.admin_token }}"
"""

RETURN = r"""
---
cluster:
  description: The registration, without its kubeconfig.
  returned: when O(state=present)
  type: dict
  sample:
    id: 0190a5f2-6f0e-7d33-a1b5-3a1f3d0c9d11
    name: eu-1
    autoBootstrap: true
    installAdmission: true
    labels: {region: eu, ring: 1_dev}
    state: ready
    message: ""
"""

from ansible_collections.kubeop.platform.plugins.module_utils import edge


def call(module):
    """One registration, or its removal."""
    from kubeop.kube.kubeconfig import load
    from kubeop.manager import fleet

    params = module.params
    with edge.manager_client(module) as manager:
        if params["state"] == "absent":
            done = fleet.remove_cluster(manager, params["name"], dry_run=module.check_mode)
        else:
            done = fleet.register(
                manager,
                params["name"],
                load(edge.kubeconfig_source(module), params["context"]).as_bytes(),
                auto_bootstrap=params["auto_bootstrap"],
                install_admission=params["install_admission"],
                labels=params["labels"],
                wait_seconds=params["wait_seconds"],
                dry_run=module.check_mode,
            )
    return edge.outcome(module, done, "cluster")


def main():
    edge.run(
        call,
        {
            **edge.cluster_options(),
            **edge.manager_options(),
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "auto_bootstrap": {"type": "bool", "default": True},
            "install_admission": {"type": "bool", "default": True},
            "labels": {"type": "dict"},
            "wait_seconds": {"type": "int", "default": 300},
        },
        required_one_of=[edge.MANAGER_WAYS],
    )


if __name__ == "__main__":
    main()
