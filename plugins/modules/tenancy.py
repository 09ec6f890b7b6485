#!/usr/bin/python
# Copyright (c) 2026, kubeop maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module `tenancy`: all tenants and projects of a cluster in one task."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: tenancy
short_description: Ensure many tenants and projects of a cluster at once
version_added: 0.1.0
author: kubeop maintainers (@kubeop)
description:
  - Does what M(kubeop.platform.tenant) and M(kubeop.platform.project) do, for all of a cluster in one task. What is as
    wanted already costs no call of its own, the others go to the manager in parallel.
  - Tenants and projects that are not named stay as they are.
  - When the manager refuses some of them, the others are done, the task fails and names each.
options:
  cluster:
    description: The cluster's name.
    type: str
    required: true
  tenants:
    description: The tenants with their projects.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The tenant's name; a DNS label.
        type: str
        required: true
      quota:
        description: What the tenant may use at most. What is left out is without a limit.
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
      projects:
        description: The tenant's projects.
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description: The project's name; a DNS label.
            type: str
            required: true
          quota:
            description: What the project may use at most. What is left out is the platform's default.
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
extends_documentation_fragment:
  - kubeop.platform.attributes
  - kubeop.platform.attributes.through_manager
  - kubeop.platform.manager
attributes:
  check_mode:
    support: full
    details:
      - The manager answers what would happen. Whether a project fits in a tenant that is only being made is seen when
        it is made.
  diff_mode:
    support: full
  idempotent:
    support: full
seealso:
  - module: kubeop.platform.tenant
  - module: kubeop.platform.project
"""

EXAMPLES = r"""
---
- name: The cluster has these tenants and projects
  kubeop.platform.tenancy:
    cluster: eu-1
    tenants:
      - name: acme
        quota: {cpu: "8", memory: 16Gi, pods: 100}
        projects:
          - name: shop
            quota: {cpu: "2", memory: 4Gi, pods: 20}
          - name: billing
    manager_kubeconfig: /etc/kubeop/control.kubeconfig
    manager_token: "{{ kubeop_jwt_signing_key | kubeop.platform.admin_token }}"
"""

RETURN = r"""
---
changes:
  description: What was done, or would be in check mode; a project's name is C(<tenant>/<project>).
  returned: success, and when some could not be made
  type: list
  elements: dict
  sample:
    - {action: create, api_version: platform.kubeop.io/v1alpha1, kind: Project, namespace: "", name: acme/shop}
counts:
  description: How many tenants and projects this happened to.
  returned: success, and when some could not be made
  type: dict
  sample: {create: 1, update: 0, unchanged: 2, delete: 0}
failures:
  description: One sentence for each that could not be made.
  returned: when some could not be made
  type: list
  elements: str
  sample: ["Project acme/shop: The quota does not fit."]
"""

from ansible_collections.kubeop.platform.plugins.module_utils import edge


def call(module):
    """All of them."""
    from kubeop.manager import many

    wanted = [many.WantedTenant.of(tenant) for tenant in module.params["tenants"]]
    with edge.manager_client(module) as manager:
        done = many.ensure(manager, module.params["cluster"], wanted, dry_run=module.check_mode)
    return edge.changed_result(module, done)


def main():
    project = {"name": {"type": "str", "required": True}, **edge.quota_options()}
    projects = {"type": "list", "elements": "dict", "default": [], "options": project}
    edge.run(
        call,
        {
            **edge.manager_options(),
            "cluster": {"type": "str", "required": True},
            "tenants": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {**project, "projects": projects},
            },
        },
        required_one_of=[edge.MANAGER_WAYS],
    )


if __name__ == "__main__":
    main()
