# Copyright (c) 2026, kubeop maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of every module that talks to the manager."""

from __future__ import annotations


class ModuleDocFragment:
    """How the manager is reached, and as whom."""

    DOCUMENTATION = r"""
options:
  manager_url:
    description:
      - Base URL of the manager's API, such as V(https://kubeop.example.com).
      - One of O(manager_url), O(manager_kubeconfig) and O(manager_kubeconfig_content) is needed; O(manager_url) wins.
    type: str
  manager_kubeconfig:
    description:
      - Path of a kubeconfig of the cluster that runs the manager.
      - A tunnel through that cluster's API server then leads to the Service C(kubeop-manager) in the namespace
        C(kubeop-system), so that the manager needs no address of its own.
    type: path
  manager_kubeconfig_content:
    description: The same as O(manager_kubeconfig), given as YAML text.
    type: str
  manager_context:
    description: The context of the manager's kubeconfig to use; empty means its current one.
    type: str
    default: ""
  manager_token:
    description:
      - A token of the manager's API with the role C(admin).
      - The filter P(kubeop.platform.admin_token#filter) makes one from the signing key.
    type: str
    required: true
  timeout_seconds:
    description: The time that one request may take, in seconds.
    type: int
    default: 30
requirements:
  - python >= 3.11
  - kubeop >= 0.1.0, on the machine that runs the module (C(pip install kubeop))
"""
