#!/usr/bin/python
# Copyright (c) 2026, kubeop maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the manager knows of its clusters."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: cluster_info
short_description: List the clusters of the manager
version_added: 0.1.0
author: kubeop maintainers (@kubeop)
description:
  - Lists the registered clusters, with their labels and their readiness. A kubeconfig is never returned.
options:
  name:
    description: Only the cluster of this name; without it, all.
    type: str
extends_documentation_fragment:
  - kubeop.platform.attributes
  - kubeop.platform.attributes.through_manager
  - kubeop.platform.attributes.info
  - kubeop.platform.manager
seealso:
  - module: kubeop.platform.cluster
"""

EXAMPLES = r"""
---
- name: Which clusters are there?
  kubeop.platform.cluster_info:
    manager_kubeconfig: /etc/kubeop/control.kubeconfig
    manager_token: "{{ kubeop_jwt_signing_key | kubeop.platform.admin_token }}"
  register: fleet
"""

RETURN = r"""
---
clusters:
  description: The clusters, ordered by name.
  returned: success
  type: list
  elements: dict
  sample:
    - id: 0190a5f2-6f0e-7d33-a1b5-3a1f3d0c9d11
      name: eu-1
      labels: {region: eu, ring: 1_dev}
      ready: true
      detail: ""
version:
  description: The manager's version.
  returned: success
  type: str
  sample: 0.1.0
"""

from ansible_collections.kubeop.platform.plugins.module_utils import edge


def call(module):
    """One question to the manager."""
    from kubeop.manager import fleet

    with edge.manager_client(module) as manager:
        clusters = fleet.describe(manager, module.params["name"] or "")
        return {"changed": False, "clusters": clusters, "version": manager.version()}


def main():
    edge.run(
        call,
        {**edge.manager_options(), "name": {"type": "str"}},
        required_one_of=[edge.MANAGER_WAYS],
    )


if __name__ == "__main__":
    main()
