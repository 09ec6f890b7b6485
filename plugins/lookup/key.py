# Copyright (c) 2026, kubeop maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A key in a file of its own on the controller, made once."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: key
short_description: Read a key from a file, or make it once
version_added: 0.1.0
author: kubeop maintainers (@kubeop)
description:
  - Reads a key from a file that only its owner may read. A file that is not there is made, with a new key.
  - It is meant for a trial on one machine. A fleet keeps its keys in a vault or sealed.
options:
  _terms:
    description: The files' paths.
    type: list
    elements: str
    required: true
notes:
  - A file is made in check mode, too, for what comes after needs its key.
"""

EXAMPLES = r"""
---
kubeop_kms_master_key: "{{ lookup('kubeop.platform.key', '~/.config/kubeop/local/kms_master_key') }}"
"""

RETURN = r"""
---
_raw:
  description: The keys, as C(id:base64).
  type: list
  elements: str
"""

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase


class LookupModule(LookupBase):
    """The lookup."""

    def run(self, terms, variables=None, **kwargs):
        try:
            from kubeop.crypto import keyfile
            from kubeop.errors import KubeopError
        except ImportError as error:
            raise AnsibleLookupError("The lookup key needs kubeop: pip install kubeop.") from error
        try:
            return [keyfile.ensure(path) for path in terms]
        except KubeopError as error:
            raise AnsibleLookupError(str(error)) from error
