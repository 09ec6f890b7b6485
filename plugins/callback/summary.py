# Copyright (c) 2026, kubeop maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A short table at the end of a run: each component and where its API is, then how long each role took."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: summary
type: aggregate
short_description: Show components and times at the end of a run
version_added: 0.1.0
author: kubeop maintainers (@kubeop)
description:
  - Shows what the role P(kubeop.platform.verify#role) found, a line for each component of each cluster, and how long
    each role took.
requirements:
  - enable it with C(callbacks_enabled = kubeop.platform.summary) in C(ansible.cfg)
"""

import time

from ansible.plugins.callback import CallbackBase

COLUMNS = ("cluster", "component", "version", "ready", "api")
# The role verify leaves its lines for this plugin under this name (set_stats).
STATS = "kubeop_components"


class CallbackModule(CallbackBase):
    """The callback."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "kubeop.platform.summary"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        self.seconds = {}
        self.role = None
        self.since = 0.0

    def v2_playbook_on_task_start(self, task, is_conditional):
        self._enter(task)

    def v2_playbook_on_handler_task_start(self, task):
        self._enter(task)

    def v2_playbook_on_stats(self, stats):
        self._leave()
        rows = [row for data in stats.custom.values() for row in data.get(STATS, [])]
        for line in table(COLUMNS, [[str(row.get(column, "")) for column in COLUMNS] for row in rows]):
            self._display.display(line)
        times = [[role, f"{seconds:.1f}"] for role, seconds in self.seconds.items()]
        for line in table(("role", "seconds"), times):
            self._display.display(line)

    def _enter(self, task):
        role = task._role.get_name() if task._role else None
        if role != self.role:
            self._leave()
            self.role, self.since = role, time.monotonic()

    def _leave(self):
        if self.role:
            self.seconds[self.role] = self.seconds.get(self.role, 0.0) + time.monotonic() - self.since
        self.role = None


def table(header, rows):
    """Lines of a table with columns as wide as they need to be; none without rows."""
    if not rows:
        return []
    widths = [max(len(line[column]) for line in [header, *rows]) for column in range(len(header))]
    lines = [header, ["-" * width for width in widths], *rows]
    padded = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    return ["", *("  ".join(line).rstrip() for line in padded)]
