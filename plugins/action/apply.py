# Copyright (c) 2026, kubeop maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module C(apply), inside Ansible's process where it can be."""

from __future__ import annotations

from ansible_collections.kubeop.platform.plugins.modules import apply
from ansible_collections.kubeop.platform.plugins.plugin_utils.inside import Inside


class ActionModule(Inside):
    """See kubeop.platform.apply."""

    code = apply
