# Copyright (c) 2026, kubeop maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Issues a short-lived token of the manager's API."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: admin_token
short_description: Issue a token of the manager's API
version_added: 0.1.0
author: kubeop maintainers (@kubeop)
description:
  - Signs a token with the role C(admin), for the option C(manager_token) of the modules.
  - It is made anew each time it is needed, so it can be short-lived.
positional: subject, ttl_seconds
options:
  _input:
    description: Signing keys, comma-separated; the first one signs.
    type: str
    required: true
  subject:
    description: Who uses the token, for the manager's audit log.
    type: str
    default: ansible
  ttl_seconds:
    description: How long the token is valid, in seconds.
    type: int
    default: 900
"""

EXAMPLES = r"""
---
kubeop_manager_token: "{{ kubeop_jwt_signing_key | kubeop.platform.admin_token }}"
"""

RETURN = r"""
---
_value:
  description: The token, a JWT.
  type: str
"""

from ansible.errors import AnsibleFilterError


def admin_token(keys, subject="ansible", ttl_seconds=900):
    """A token with the role admin."""
    try:
        from kubeop.crypto.tokens import SigningKeys, issue
        from kubeop.errors import KubeopError
    except ImportError as error:
        raise AnsibleFilterError("The filter admin_token needs kubeop: pip install kubeop.") from error
    try:
        return issue(SigningKeys.parse(str(keys)), subject=subject, role="admin", ttl_seconds=int(ttl_seconds))
    except KubeopError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The filter."""

    def filters(self):
        return {"admin_token": admin_token}
