# Copyright (c) 2026, kubeop maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Opens what the module seal has sealed."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: unseal
short_description: Open a sealed value
version_added: 0.1.0
author: kubeop maintainers (@kubeop)
description:
  - Opens a token that the module M(kubeop.platform.seal) made, in the context in which it was sealed.
positional: keys
options:
  _input:
    description: The token.
    type: str
    required: true
  keys:
    description: Keys, comma-separated; one of them opens the token.
    type: str
    required: true
  tenant:
    description: Part of the context.
    type: str
    default: ""
  cluster:
    description: Part of the context.
    type: str
    default: ""
  field:
    description: Part of the context.
    type: str
    default: ""
  record:
    description: Part of the context.
    type: str
    default: ""
seealso:
  - module: kubeop.platform.seal
"""

EXAMPLES = r"""
---
kubeop_db_url: "{{ kubeop_db_url_sealed | kubeop.platform.unseal(kubeop_seal_key, field='db_url') }}"
"""

RETURN = r"""
---
_value:
  description: The value that was sealed.
  type: str
"""

from ansible.errors import AnsibleFilterError


def unseal(token, keys, tenant="", cluster="", field="", record=""):
    """The value of a token."""
    try:
        from kubeop.crypto.envelope import Context, open_token
        from kubeop.crypto.keyring import Keyring
        from kubeop.errors import KubeopError
    except ImportError as error:
        raise AnsibleFilterError("The filter unseal needs kubeop: pip install kubeop.") from error
    try:
        context = Context(tenant=tenant, cluster=cluster, field=field, record=record)
        return open_token(Keyring.parse(str(keys)), str(token), context).decode()
    except KubeopError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The filter."""

    def filters(self):
        return {"unseal": unseal}
