#!/usr/bin/python
# Copyright (c) 2026, kubeop maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A tenant has a project, with its namespace in the tenant's cluster, or has it no more."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: project
short_description: Ensure a project of a tenant through the manager
version_added: 0.1.0
author: kubeop maintainers (@kubeop)
description:
  - The manager records the project and the operator makes its namespace C(kubeop-<tenant>-<project>) with the baseline.
  - A quota that does not fit in what is left of the tenant's is refused.
options:
  name:
    description: The project's name; a DNS label.
    type: str
    required: true
  tenant:
    description: The tenant's name.
    type: str
    required: true
  cluster:
    description: The name of the tenant's cluster.
    type: str
    required: true
  state:
    description: Whether the project is there. With V(absent) its namespace goes, too, with all that is in it.
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
  - module: kubeop.platform.tenant
"""

EXAMPLES = r"""
---
- name: The tenant has a project
  kubeop.platform.project:
    name: shop
    tenant: acme
    cluster: eu-1
    quota: {cpu: "2", memory: 4Gi, pods: 20}
    manager_kubeconfig: /etc/kubeop/control.kubeconfig
    manager_token: "{{ kubeop_jwt_signing_key | kubeop.platform.admin_token }}"
"""

RETURN = r"""
---
project:
  description: The project as the manager has it.
  returned: when O(state=present)
  type: dict
  sample:
    id: 0190a5f2-6f0e-7d33-a1b5-3a1f3d0c9d13
    name: shop
    namespace: kubeop-acme-shop
    quotas: {cpu: "2", memory: 4Gi, pods: 20}
"""

from ansible_collections.kubeop.platform.plugins.module_utils import edge


def call(module):
    """One project."""
    from kubeop.manager import fleet

    params = module.params
    where = (params["cluster"], params["tenant"], params["name"])
    with edge.manager_client(module) as manager:
        if params["state"] == "absent":
            done = fleet.remove_project(manager, *where, dry_run=module.check_mode)
        else:
            done = fleet.ensure_project(manager, *where, edge.quota(module), dry_run=module.check_mode)
    return edge.outcome(module, done, "project")


def main():
    edge.run(
        call,
        {
            **edge.manager_options(),
            **edge.quota_options(),
            "name": {"type": "str", "required": True},
            "tenant": {"type": "str", "required": True},
            "cluster": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        required_one_of=[edge.MANAGER_WAYS],
    )


if __name__ == "__main__":
    main()
