#!/usr/bin/python
# Copyright (c) 2026, kubeop maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the manager knows of its tenants."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: tenant_info
short_description: List the tenants of the manager
version_added: 0.1.0
author: kubeop maintainers (@kubeop)
description:
  - Lists the tenants with their quotas and how far the manager is with them.
options:
  name:
    description: Only tenants of this name; without it, all.
    type: str
  cluster:
    description: Only those of this cluster, by its name or id.
    type: str
extends_documentation_fragment:
  - kubeop.platform.attributes
  - kubeop.platform.attributes.through_manager
  - kubeop.platform.attributes.info
  - kubeop.platform.manager
seealso:
  - module: kubeop.platform.tenant
"""

EXAMPLES = r"""
---
- name: Which tenants has the cluster?
  kubeop.platform.tenant_info:
    cluster: eu-1
    manager_kubeconfig: /etc/kubeop/control.kubeconfig
    manager_token: "{{ kubeop_jwt_signing_key | kubeop.platform.admin_token }}"
  register: found
"""

RETURN = r"""
---
tenants:
  description: The tenants, ordered by name.
  returned: success
  type: list
  elements: dict
  sample:
    - id: 0190a5f2-6f0e-7d33-a1b5-3a1f3d0c9d12
      name: acme
      cluster_id: 0190a5f2-6f0e-7d33-a1b5-3a1f3d0c9d11
      state: ready
      quotas: {cpu: "8", memory: 16Gi, pods: 100}
"""

from ansible_collections.kubeop.platform.plugins.module_utils import edge


def call(module):
    """One question to the manager."""
    from kubeop.manager import fleet

    params = module.params
    with edge.manager_client(module) as manager:
        found = fleet.tenants(manager, params["cluster"] or "", params["name"] or "")
    return {"changed": False, "tenants": found}


def main():
    edge.run(
        call,
        {
            **edge.manager_options(),
            "name": {"type": "str"},
            "cluster": {"type": "str"},
        },
        required_one_of=[edge.MANAGER_WAYS],
    )


if __name__ == "__main__":
    main()
