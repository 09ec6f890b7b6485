#!/usr/bin/python
# Copyright (c) 2026, kubeop maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cluster has a tenant, with its quota, or has it no more."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: tenant
short_description: Ensure a tenant of a cluster through the manager
version_added: 0.1.0
author: kubeop maintainers (@kubeop)
description:
  - The manager records the tenant, and the operator shares its quota among the tenant's projects.
options:
  name:
    description: The tenant's name; a DNS label.
    type: str
    required: true
  cluster:
    description: The name of the cluster.
    type: str
    required: true
  state:
    description: Whether the tenant is there. A tenant that still has projects is not removed.
    type: str
    choices: [present, absent]
    default: present
extends_documentation_fragment:
  - kubeop.platform.attributes
  - kubeop.platform.attributes.through_manager
  - kubeop.platform.manager
  - kubeop.platform.quota
attributes:
  check_mode:
    support: full
    details:
      - The manager answers what would happen.
  diff_mode:
    support: full
  idempotent:
    support: full
seealso:
  - module: kubeop.platform.project
"""

EXAMPLES = r"""
---
- name: The cluster has a tenant
  kubeop.platform.tenant:
    name: acme
    cluster: eu-1
    quota: {cpu: "8", memory: 16Gi, pods: 100}
    manager_kubeconfig: /etc/kubeop/control.kubeconfig
    manager_token: "{{ kubeop_jwt_signing_key | kubeop.platform.admin_token }}"
"""

RETURN = r"""
---
tenant:
  description: The tenant as the manager has it.
  returned: when O(state=present)
  type: dict
  sample:
    id: 0190a5f2-6f0e-7d33-a1b5-3a1f3d0c9d12
    name: acme
    quotas: {cpu: "8", memory: 16Gi, pods: 100}
"""

from ansible_collections.kubeop.platform.plugins.module_utils import edge


def call(module):
    """One tenant."""
    from kubeop.manager import fleet

    params = module.params
    with edge.manager_client(module) as manager:
        if params["state"] == "absent":
            done = fleet.remove_tenant(manager, params["cluster"], params["name"], dry_run=module.check_mode)
        else:
            quota = edge.quota(module)
            done = fleet.ensure_tenant(manager, params["cluster"], params["name"], quota, dry_run=module.check_mode)
    return edge.outcome(module, done, "tenant")


def main():
    edge.run(
        call,
        {
            **edge.manager_options(),
            **edge.quota_options(),
            "name": {"type": "str", "required": True},
            "cluster": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        required_one_of=[edge.MANAGER_WAYS],
    )


if __name__ == "__main__":
    main()
