# Copyright (c) 2026, kubeop maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Kubernetes quantity as a number."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: quantity
short_description: A Kubernetes quantity as a number
version_added: 0.1.0
author: kubeop maintainers (@kubeop)
description:
  - The number that a quantity such as V(500m) or V(2Gi) stands for, in cores, bytes or pieces.
positional: unit
options:
  _input:
    description: The quantity; a bare number is one too.
    type: raw
    required: true
  unit:
    description: What to count in, as a quantity or as its suffix, such as V(m), V(Mi) or V(100Mi).
    type: str
    default: "1"
seealso:
  - plugin: kubeop.platform.quantity_text
    plugin_type: filter
  - plugin: kubeop.platform.quantity_sum
    plugin_type: filter
"""

EXAMPLES = r"""
---
cores: "{{ '1500m' | kubeop.platform.quantity }}" # 1.5
bytes: "{{ '2Gi' | kubeop.platform.quantity }}" # 2147483648
mebibytes: "{{ '2Gi' | kubeop.platform.quantity('Mi') }}" # 2048
fits: "{{ '900m' | kubeop.platform.quantity <= '1' | kubeop.platform.quantity }}" # true
"""

RETURN = r"""
---
_value:
  description: The number; an integer if it is a whole one.
  type: raw
"""

from ansible.errors import AnsibleFilterError


def quantity(text, unit="1"):
    """The number of units in a quantity."""
    try:
        from kubeop.errors import KubeopError
        from kubeop.kube import quantities
    except ImportError as error:
        raise AnsibleFilterError("The filter quantity needs kubeop: pip install kubeop.") from error
    try:
        amount = quantities.ratio(text, unit)
    except KubeopError as error:
        raise AnsibleFilterError(str(error)) from error
    return int(amount) if amount == int(amount) else float(amount)


class FilterModule:
    """The filter."""

    def filters(self):
        return {"quantity": quantity}
