# Copyright (c) 2026, kubeop maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sum of Kubernetes quantities."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: quantity_sum
short_description: The sum of Kubernetes quantities
version_added: 0.1.0
author: kubeop maintainers (@kubeop)
description:
  - Adds quantities exactly and writes the sum as the API server writes it.
options:
  _input:
    description: The quantities.
    type: list
    elements: raw
    required: true
seealso:
  - plugin: kubeop.platform.quantity
    plugin_type: filter
"""

EXAMPLES = r"""
---
cpu: "{{ ['500m', '1'] | kubeop.platform.quantity_sum }}" # 1500m
asked: "{{ kubeop_tenants[0].projects | map(attribute='quota.memory') | kubeop.platform.quantity_sum }}" # 6Gi
"""

RETURN = r"""
---
_value:
  description: The sum, in units of the kind (decimal or binary) of the first quantity that is not zero.
  type: str
"""

from ansible.errors import AnsibleFilterError


def quantity_sum(texts):
    """The sum of a list."""
    try:
        from kubeop.errors import KubeopError
        from kubeop.kube import quantities
    except ImportError as error:
        raise AnsibleFilterError("The filter quantity_sum needs kubeop: pip install kubeop.") from error
    if isinstance(texts, str):
        raise AnsibleFilterError(f"{texts!r} is one text, not a list. Give quantity_sum a list of quantities.")
    try:
        return quantities.total(texts)
    except KubeopError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The filter."""

    def filters(self):
        return {"quantity_sum": quantity_sum}
