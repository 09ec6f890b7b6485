#!/usr/bin/python
# Copyright (c) 2026, kubeop maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A value becomes a token that may lie in Git; only the key opens it."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: seal
short_description: Seal a value so that it may lie in Git
version_added: 0.1.0
author: kubeop maintainers (@kubeop)
description:
  - Seals a value with a key-encryption key. The token holds its own data key, wrapped, and names the key that opens it.
  - The token opens only in the context in which it was sealed, so that it cannot be moved to another place.
  - The filter P(kubeop.platform.unseal#filter) opens it.
options:
  value:
    description: What to seal.
    type: str
    required: true
  keys:
    description: Keys, comma-separated, as C(kubeop keys generate) prints them. The first one seals, all can open.
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
  path:
    description:
      - A YAML file of variables that the token goes into. All its other lines stay as they are.
      - Without it, the token is only returned, and nothing is ever changed.
    type: path
  variable:
    description: The variable of the file that holds the token.
    type: str
requirements:
  - python >= 3.11
  - kubeop >= 0.1.0, on the machine that runs the module (C(pip install kubeop))
extends_documentation_fragment:
  - kubeop.platform.attributes
  - kubeop.platform.attributes.platform
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Only the token is shown, never the value.
  idempotent:
    support: full
    details:
      - With O(path), a token that already opens to O(value) with the first key stays.
      - Without it, each run returns a new token.
seealso:
  - plugin: kubeop.platform.unseal
    plugin_type: filter
"""

EXAMPLES = r"""
---
- name: The database's password may lie in Git
  kubeop.platform.seal:
    value: "{{ database_password }}"
    keys: "{{ kubeop_seal_key }}"
    field: db_url
    path: inventories/example/group_vars/all/sealed.yml
    variable: kubeop_db_url_sealed
"""

RETURN = r"""
---
token:
  description: The sealed value.
  returned: success
  type: str
  sample: kubeop:v1:k1:q83vEjRWeJA
key_id:
  description: The id of the key that opens the token.
  returned: success
  type: str
  sample: k1
"""

from ansible_collections.kubeop.platform.plugins.module_utils import edge


def call(module):
    """One value sealed."""
    from kubeop.crypto.envelope import Context, seal_token, token_key_id
    from kubeop.crypto.keyring import Keyring
    from kubeop.crypto.sealed_file import put

    params = module.params
    keyring = Keyring.parse(params["keys"])
    context = Context(**{name: params[name] for name in ("tenant", "cluster", "field", "record")})
    if not params["path"]:
        token = seal_token(keyring, params["value"].encode(), context)
        return {"changed": False, "token": token, "key_id": token_key_id(token)}
    done = put(
        params["path"], params["variable"], params["value"].encode(), keyring, context, dry_run=module.check_mode
    )
    result = {"changed": done.changed, "token": done.token, "key_id": token_key_id(done.token)}
    if module._diff:
        result["diff"] = {
            "before_header": params["path"],
            "after_header": params["path"],
            "before": done.before,
            "after": done.after,
        }
    return result


def main():
    edge.run(
        call,
        {
            "value": {"type": "str", "required": True, "no_log": True},
            "keys": {"type": "str", "required": True, "no_log": True},
            "tenant": {"type": "str", "default": ""},
            "cluster": {"type": "str", "default": ""},
            "field": {"type": "str", "default": ""},
            "record": {"type": "str", "default": ""},
            "path": {"type": "path"},
            "variable": {"type": "str"},
        },
        required_together=[("path", "variable")],
    )


if __name__ == "__main__":
    main()
