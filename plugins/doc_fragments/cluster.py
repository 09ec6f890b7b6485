# Copyright (c) 2026, kubeop maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of every module that talks to a cluster."""

from __future__ import annotations


class ModuleDocFragment:
    """How a cluster is reached."""

    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - Path of the kubeconfig of the cluster.
      - Without this and O(kubeconfig_content), the environment variable E(KUBECONFIG) names it, else it is
        C(~/.kube/config).
    type: path
  kubeconfig_content:
    description:
      - The kubeconfig itself, as YAML text, for instance opened from a sealed value by the filter
        P(kubeop.platform.unseal#filter).
      - It wins over O(kubeconfig).
    type: str
  context:
    description: The kubeconfig's context to use; empty means its current one.
    type: str
    default: ""
  timeout_seconds:
    description: The time that one request may take, in seconds.
    type: int
    default: 30
requirements:
  - python >= 3.11
  - kubeop >= 0.1.0, on the machine that runs the module (C(pip install kubeop))
"""
