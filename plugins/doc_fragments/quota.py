# Copyright (c) 2026, kubeop maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option quota, as tenants, projects and namespaces have it."""

from __future__ import annotations


class ModuleDocFragment:
    """What may be used."""

    DOCUMENTATION = r"""
options:
  quota:
    description: What may be used at most. What is left out is the platform's default.
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
"""
