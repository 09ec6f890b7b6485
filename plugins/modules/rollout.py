#!/usr/bin/python
# Copyright (c) 2026, kubeop maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Deployment runs the images that are given, or goes back to those that worked."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: rollout
short_description: Roll a Deployment out, wait for it, and take it back if it fails
version_added: 0.1.0
author: kubeop maintainers (@kubeop)
description:
  - Sets the images of a Deployment's containers and waits until all its pods run them and are ready.
  - A rollout that fails, or takes too long, is taken back to the images before it, unless O(undo=false).
  - Without O(images), waits for the rollout that is going on, if any.
options:
  name:
    description: The Deployment's name.
    type: str
    required: true
  namespace:
    description: The Deployment's namespace.
    type: str
    default: kubeop-system
  images:
    description: The images, by container name. Containers that are not named keep theirs.
    type: dict
    default: {}
  wait_images:
    description:
      - Images that something else brings to the Deployment, such as the manager after an upgrade.
      - They are waited for before the rollout is, all within O(wait_seconds).
    type: list
    elements: str
    default: []
  undo:
    description: Take a failed rollout back to the images before it.
    type: bool
    default: true
  wait_seconds:
    description: How long the rollout may take.
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
  idempotent:
    support: full
"""

EXAMPLES = r"""
---
- name: The operator runs a new version
  kubeop.platform.rollout:
    kubeconfig: /etc/kubeop/eu-1.kubeconfig
    name: kubeop-operator
    images:
      operator: registry.example.com/kubeop/controller:0.2.0

- name: The admission webhook is ready, with the image that the manager brings
  kubeop.platform.rollout:
    kubeconfig: /etc/kubeop/eu-1.kubeconfig
    name: kubeop-admission
    wait_images:
      - registry.example.com/kubeop/webhook:0.2.0
"""

RETURN = r"""
---
revision:
  description: The Deployment's revision.
  returned: success
  type: int
  sample: 4
images:
  description: The images that run, by container name.
  returned: success
  type: dict
  sample: {operator: "registry.example.com/kubeop/controller:0.2.0"}
version:
  description: The Deployment's label C(app.kubernetes.io/version), if it has one.
  returned: success
  type: str
  sample: 0.2.0
replicas:
  description: How many pods are wanted.
  returned: success
  type: int
  sample: 2
ready_replicas:
  description: How many pods are ready.
  returned: success
  type: int
  sample: 2
url:
  description: Where the Service of the same name answers, as far as the cluster knows; empty without one.
  returned: success
  type: str
  sample: https://kubeop-admission.kubeop-system.svc:443
"""

from ansible_collections.kubeop.platform.plugins.module_utils import edge


def call(module):
    """One rollout."""
    from kubeop.kube.rollout import roll_out

    params = module.params
    with edge.cluster_client(module) as client:
        done = roll_out(
            client,
            params["namespace"],
            params["name"],
            {name: str(image) for name, image in params["images"].items()},
            awaited=params["wait_images"],
            undo=params["undo"],
            dry_run=module.check_mode,
            timeout_seconds=params["wait_seconds"],
        )
    result = {
        "changed": done.changed,
        "revision": done.revision,
        "images": dict(done.images),
        "version": done.version,
        "replicas": done.replicas,
        "ready_replicas": done.ready_replicas,
        "url": done.url,
    }
    if module._diff:
        result["diff"] = {"before": {"images": dict(done.before)}, "after": {"images": dict(done.images)}}
    return result


def main():
    edge.run(
        call,
        {
            **edge.cluster_options(),
            "name": {"type": "str", "required": True},
            "namespace": {"type": "str", "default": "kubeop-system"},
            "images": {"type": "dict", "default": {}},
            "wait_images": {"type": "list", "elements": "str", "default": []},
            "undo": {"type": "bool", "default": True},
            "wait_seconds": {"type": "int", "default": 300},
        },
    )


if __name__ == "__main__":
    main()
