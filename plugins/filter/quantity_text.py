# Copyright (c) 2026, kubeop maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Kubernetes quantity as the API server writes it."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: quantity_text
short_description: A Kubernetes quantity as the API server writes it
version_added: 0.1.0
author: kubeop maintainers (@kubeop)
description:
  - Writes a quantity in its canonical form, so that two texts of the same amount in the same kind of units are equal.
options:
  _input:
    description: The quantity; a bare number is one too.
    type: raw
    required: true
seealso:
  - plugin: kubeop.platform.quantity
    plugin_type: filter
"""

EXAMPLES = r"""
---
cpu: "{{ '1000m' | kubeop.platform.quantity_text }}" # 1
memory: "{{ '1.5Gi' | kubeop.platform.quantity_text }}" # 1536Mi
"""

RETURN = r"""
---
_value:
  description: The same amount with no fraction and the largest suffix that fits.
  type: str
"""

from ansible.errors import AnsibleFilterError


def quantity_text(text):
    """The canonical form of a quantity."""
    try:
        from kubeop.errors import KubeopError
        from kubeop.kube import quantities
    except ImportError as error:
        raise AnsibleFilterError("The filter quantity_text needs kubeop: pip install kubeop.") from error
    try:
        return quantities.canonical(text)
    except KubeopError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The filter."""

    def filters(self):
        return {"quantity_text": quantity_text}
