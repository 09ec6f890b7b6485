# Copyright (c) 2026, kubeop maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every module says about check mode, diff mode, idempotence and its action groups."""

from __future__ import annotations


class ModuleDocFragment:
    """Attributes shared by the modules; each module adds its own C(support)."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
  diff_mode:
    description: >-
      Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
  idempotent:
    description: >-
      When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
"""

    PLATFORM = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/kubeop.platform.platform) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - kubeop.platform.platform
"""

    KUBERNETES = r"""
options: {}
attributes:
  action_group:
    description: >-
      Use C(group/kubeop.platform.kubernetes) in C(module_defaults) to set defaults for this module, such as
      C(kubeconfig) and C(context).
    support: full
    membership:
      - kubeop.platform.kubernetes
      - kubeop.platform.platform
"""

    THROUGH_MANAGER = r"""
options: {}
attributes:
  action_group:
    description: >-
      Use C(group/kubeop.platform.manager) in C(module_defaults) to set defaults for this module, such as
      C(manager_url) and C(manager_token).
    support: full
    membership:
      - kubeop.platform.manager
      - kubeop.platform.platform
"""

    KUBERNETES_MANAGER = r"""
options: {}
attributes:
  action_group:
    description: >-
      Use C(group/kubeop.platform.kubernetes) and C(group/kubeop.platform.manager) in C(module_defaults) to set
      defaults for this module.
    support: full
    membership:
      - kubeop.platform.kubernetes
      - kubeop.platform.manager
      - kubeop.platform.platform
"""

    INFO = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
    support: full
    details:
      - This module only reads.
  diff_mode:
    description: >-
      Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
    support: N/A
    details:
      - This module only reads.
  idempotent:
    description: >-
      When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
    support: full
    details:
      - This module only reads.
"""
