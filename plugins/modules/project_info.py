#!/usr/bin/python
# Copyright (c) 2026, kubeop maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the manager knows of its projects."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: project_info
short_description: List the projects of the manager
version_added: 0.1.0
author: kubeop maintainers (@kubeop)
description:
  - Lists the projects with their namespaces, quotas, and how far the manager is with them.
options:
  name:
    description: Only projects of this name; without it, all.
    type: str
  cluster:
    description: Only those of this cluster, by its name or id.
    type: str
  tenant:
    description: Only those of the tenants of this name.
    type: str
extends_documentation_fragment:
  - kubeop.platform.attributes
  - kubeop.platform.attributes.through_manager
  - kubeop.platform.attributes.info
  - kubeop.platform.manager
seealso:
  - module: kubeop.platform.project
"""

EXAMPLES = r"""
---
- name: Which projects are in the cluster?
  kubeop.platform.project_info:
    cluster: eu-1
    manager_kubeconfig: /etc/kubeop/control.kubeconfig
    manager_token: "{{ kubeop_jwt_signing_key | kubeop.platform.admin_token }}"
  register: found
"""

RETURN = r"""
---
projects:
  description: The projects, ordered by name.
  returned: success
  type: list
  elements: dict
  sample:
    - id: 0190a5f2-6f0e-7d33-a1b5-3a1f3d0c9d13
      name: shop
      cluster_id: 0190a5f2-6f0e-7d33-a1b5-3a1f3d0c9d11
      tenant_id: 0190a5f2-6f0e-7d33-a1b5-3a1f3d0c9d12
      namespace: kubeop-acme-shop
      state: ready
      quotas: {cpu: "2", memory: 4Gi, pods: 20}
"""

from ansible_collections.kubeop.platform.plugins.module_utils import edge


def call(module):
    """One question to the manager."""
    from kubeop.manager import fleet

    params = module.params
    with edge.manager_client(module) as manager:
        found = fleet.projects(manager, params["cluster"] or "", params["tenant"] or "", params["name"] or "")
    return {"changed": False, "projects": found}


def main():
    edge.run(
        call,
        {
            **edge.manager_options(),
            "name": {"type": "str"},
            "cluster": {"type": "str"},
            "tenant": {"type": "str"},
        },
        required_one_of=[edge.MANAGER_WAYS],
    )


if __name__ == "__main__":
    main()
