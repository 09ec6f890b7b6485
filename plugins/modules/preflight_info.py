#!/usr/bin/python
# Copyright (c) 2026, kubeop maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What would stand in the way of an installation, found before anything is changed."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: preflight_info
short_description: Find what stands in the way of an installation
version_added: 0.1.0
author: kubeop maintainers (@kubeop)
description:
  - Asks the API server whether it answers, for its version, and whether the caller may do what the platform needs.
  - Looks at images, keys and database URL without using them.
  - A check that fails does not fail the module; its message says what is wrong and what to do.
options:
  minimum_version:
    description: The lowest Kubernetes version that will do.
    type: str
    default: "1.30"
  images:
    description: The images, by the name of what they are for.
    type: dict
    default: {}
  deploys_manager:
    description: Whether the manager will run in this cluster, so that O(db_url) and the keys are looked at.
    type: bool
    default: false
  db_url:
    description: The manager's database.
    type: str
    default: ""
  kms_master_key:
    description: Keys that seal what the manager stores, comma-separated.
    type: str
    default: ""
  jwt_signing_key:
    description: Keys that sign the manager's tokens, comma-separated.
    type: str
    default: ""
extends_documentation_fragment:
  - kubeop.platform.attributes
  - kubeop.platform.attributes.kubernetes
  - kubeop.platform.attributes.info
  - kubeop.platform.cluster
"""

EXAMPLES = r"""
---
- name: May the platform be installed?
  kubeop.platform.preflight_info:
    kubeconfig: /etc/kubeop/eu-1.kubeconfig
    images:
      operator: registry.example.com/kubeop/controller:0.1.0
  register: preflight

- name: Stop where something is wrong
  ansible.builtin.assert:
    that: preflight.failures | length == 0
    fail_msg: "{{ preflight.failures | join(' ') }}"
"""

RETURN = r"""
---
checks:
  description: Every check that was made.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: What was looked at.
      type: str
      returned: always
    ok:
      description: Whether it will do.
      type: bool
      returned: always
    message:
      description: What was found; for a failed check, what is wrong and what to do.
      type: str
      returned: always
  sample:
    - name: version
      ok: true
      message: Kubernetes v1.36.3.
failures:
  description: The messages of the checks that failed.
  returned: success
  type: list
  elements: str
  sample: ["KUBEOP_DB_URL is empty. Give the manager's PostgreSQL database."]
"""

from ansible_collections.kubeop.platform.plugins.module_utils import edge


def call(module):
    """One round of checks."""
    from kubeop.manager.preflight import Plan, examine

    params = module.params
    with edge.cluster_client(module) as client:
        checks = examine(
            client,
            Plan(
                minimum_version=params["minimum_version"],
                images={name: str(image or "") for name, image in params["images"].items()},
                deploys_manager=params["deploys_manager"],
                db_url=params["db_url"],
                kms_master_key=params["kms_master_key"],
                jwt_signing_key=params["jwt_signing_key"],
            ),
        )
    return {
        "changed": False,
        "checks": [{"name": check.name, "ok": check.ok, "message": check.message} for check in checks],
        "failures": [check.message for check in checks if not check.ok],
    }


def main():
    edge.run(
        call,
        {
            **edge.cluster_options(),
            "minimum_version": {"type": "str", "default": "1.30"},
            "images": {"type": "dict", "default": {}},
            "deploys_manager": {"type": "bool", "default": False},
            "db_url": {"type": "str", "default": "", "no_log": True},
            "kms_master_key": {"type": "str", "default": "", "no_log": True},
            "jwt_signing_key": {"type": "str", "default": "", "no_log": True},
        },
    )


if __name__ == "__main__":
    main()
