#!/usr/bin/python
# Copyright (c) 2026, kubeop maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The manager runs in a cluster, in the version that is given."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: manager
short_description: Deploy the manager into a cluster
version_added: 0.1.0
author: kubeop maintainers (@kubeop)
description:
  - Puts the namespace C(kubeop-system), the Secret C(kubeop-manager-env), the migrations as the Job
    C(kubeop-manager-migrations), and the Deployment, the Service and the PodDisruptionBudget C(kubeop-manager).
  - The database is migrated before the Deployment changes. Both are waited for, and a failure says why at once.
options:
  image:
    description: The manager's image.
    type: str
    required: true
  pull_policy:
    description: When a node pulls the image.
    type: str
    choices: [Always, IfNotPresent, Never]
    default: IfNotPresent
  replicas:
    description: How many pods serve the API.
    type: int
    default: 2
  service_type:
    description: Type of the Service.
    type: str
    choices: [ClusterIP, NodePort, LoadBalancer]
    default: ClusterIP
  node_port:
    description: Port of the nodes for O(service_type=NodePort); without it, the cluster chooses one.
    type: int
  environment:
    description:
      - The manager's settings, C(KUBEOP_*) and C(LOG_LEVEL), as far as they are no secrets.
      - They go into the Secret C(kubeop-manager-env), together with O(secret_environment).
    type: dict
    default: {}
  secret_environment:
    description:
      - The settings that are secrets.
      - E(KUBEOP_DB_URL), E(KUBEOP_KMS_MASTER_KEY) and E(KUBEOP_JWT_SIGNING_KEY) are needed.
    type: dict
    required: true
  wait_seconds:
    description: How long the migrations, and then the Deployment, may take.
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
      - The API server answers what would happen (a server-side dry run); nothing is waited for.
  diff_mode:
    support: full
    details:
      - The values of the Secret are masked.
  idempotent:
    support: full
seealso:
  - module: kubeop.platform.cluster
"""

EXAMPLES = r"""
---
- name: The manager runs
  kubeop.platform.manager:
    kubeconfig: /etc/kubeop/control.kubeconfig
    image: registry.example.com/kubeop/controller:0.1.0
    environment:
      KUBEOP_IMAGE_ALLOWLIST: registry.example.com
    secret_environment:
      KUBEOP_DB_URL: "{{ kubeop_db_url }}"
      KUBEOP_KMS_MASTER_KEY: "{{ kubeop_kms_master_key }}"
      KUBEOP_JWT_SIGNING_KEY: "{{ kubeop_jwt_signing_key }}"
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
url:
  description: Where the API is, as far as the cluster knows; a NodePort's URL has the address of a node.
  returned: success
  type: str
  sample: http://kubeop-manager.kubeop-system.svc:8080
"""

from ansible_collections.kubeop.platform.plugins.module_utils import edge


def call(module):
    """One deployment."""
    from kubeop.manager.install import Installation, install

    params = module.params
    environment = {**params["environment"], **params["secret_environment"]}
    with edge.cluster_client(module) as client:
        installed = install(
            client,
            Installation(
                image=params["image"],
                pull_policy=params["pull_policy"],
                replicas=params["replicas"],
                service_type=params["service_type"],
                node_port=params["node_port"],
                environment={name: str(value) for name, value in environment.items()},
            ),
            dry_run=module.check_mode,
            timeout_seconds=params["wait_seconds"],
        )
    return {**edge.changed_result(module, installed.applied), "url": installed.url}


def main():
    edge.run(
        call,
        {
            **edge.cluster_options(),
            "image": {"type": "str", "required": True},
            "pull_policy": {
                "type": "str",
                "choices": ["Always", "IfNotPresent", "Never"],
                "default": "IfNotPresent",
            },
            "replicas": {"type": "int", "default": 2},
            "service_type": {
                "type": "str",
                "choices": ["ClusterIP", "NodePort", "LoadBalancer"],
                "default": "ClusterIP",
            },
            "node_port": {"type": "int"},
            "environment": {"type": "dict", "default": {}},
            "secret_environment": {"type": "dict", "required": True, "no_log": True},
            "wait_seconds": {"type": "int", "default": 300},
        },
    )


if __name__ == "__main__":
    main()
