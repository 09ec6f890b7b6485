# Copyright (c) 2026, kubeop maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Short tables at the end of a run: each component, how each cluster fared and why, how long each role took."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: summary
type: aggregate
short_description: Show components, clusters and times at the end of a run
version_added: 0.1.0
author: kubeop maintainers (@kubeop)
description:
  - Shows what the role P(kubeop.platform.verify#role) found, a line for each component of each cluster.
  - Shows for each cluster how many tasks were done, changed something and failed, how many objects were created,
    updated or deleted, and why it failed, or that its turn did not come because the run ended before.
  - Shows how long each role took.
  - A result under C(no_log) stays hidden.
requirements:
  - enable it with C(callbacks_enabled = kubeop.platform.summary) in C(ansible.cfg)
"""

import time

from ansible.plugins.callback import CallbackBase

COLUMNS = ("cluster", "component", "version", "ready", "api")
CLUSTER_COLUMNS = ("cluster", "done", "changed", "failed", "objects", "why")
# Of a module's `counts`, those that say that something was written.
WRITTEN = ("create", "update", "delete")
RULE = 40  # characters under a header, however long a reason is
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
        self.reasons = {}
        self.objects = {}
        self.plays = 0
        self.begun = set()
        self.play = None
        self.later = []

    def v2_playbook_on_start(self, playbook):
        self.plays = len(playbook.get_plays())

    def v2_playbook_on_play_start(self, play):
        # Called for each batch of a play, with a copy of it.
        inventory = play.get_variable_manager()._inventory
        if self.play is None or play._uuid != self.play._uuid:
            self.later = [host.name for host in inventory.get_hosts(play.hosts, ignore_restrictions=True)]
        batch = {host.name for host in inventory.get_hosts(play.hosts)}
        self.later = [name for name in self.later if name not in batch]
        self.begun.add(play._uuid)
        self.play = play

    def v2_runner_on_ok(self, result):
        self._count(result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._count(result)
        if not ignore_errors:
            self._fail(result)

    def v2_runner_on_unreachable(self, result):
        self._fail(result)

    def v2_playbook_on_task_start(self, task, is_conditional):
        self._enter(task)

    def v2_playbook_on_handler_task_start(self, task):
        self._enter(task)

    def v2_playbook_on_stats(self, stats):
        self._leave()
        rows = [row for data in stats.custom.values() for row in data.get(STATS, [])]
        for line in table(COLUMNS, [[str(row.get(column, "")) for column in COLUMNS] for row in rows]):
            self._display.display(line)
        for line in table(CLUSTER_COLUMNS, self._clusters(stats)):
            self._display.display(line)
        if len(self.begun) < self.plays and self.play is not None:
            self._display.display(f"The run ended in the play {self.play.get_name()!r}: those after it were not begun.")
        times = [[role, f"{seconds:.1f}"] for role, seconds in self.seconds.items()]
        for line in table(("role", "seconds"), times):
            self._display.display(line)

    def _clusters(self, stats):
        """A line for each host, with the reason of the failure that ended its work."""
        lines = []
        for host in sorted({*stats.processed, *self.later}):
            seen = stats.summarize(host)
            failed = seen["failures"] + seen["unreachable"]
            why = self.reasons.get(host, "") if failed else ""
            if host in self.later and not failed:
                why = f"Its turn in the play {self.play.get_name()!r} did not come: the run ended before."
            numbers = (seen["ok"], seen["changed"], failed, self.objects.get(host, 0))
            lines.append([host, *(str(number) for number in numbers), why])
        return lines

    def _count(self, result):
        for one in each(result.result):
            if one.get("changed") and isinstance(one.get("counts"), dict):
                written = sum(int(one["counts"].get(action, 0)) for action in WRITTEN)
                self.objects[result.host.name] = self.objects.get(result.host.name, 0) + written

    def _fail(self, result):
        # The last one: what failed before it was rescued, or nothing would have come after it.
        self.reasons[result.host.name] = f"{result.task_name}: {reason(result.result)}"

    def _enter(self, task):
        role = task._role.get_name() if task._role else None
        if role != self.role:
            self._leave()
            self.role, self.since = role, time.monotonic()

    def _leave(self):
        if self.role:
            self.seconds[self.role] = self.seconds.get(self.role, 0.0) + time.monotonic() - self.since
        self.role = None


def each(result):
    """The results of a loop, or the one result."""
    items = result.get("results")
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else [result]


def reason(result):
    """Why a task failed, in one line. What Ansible has hidden stays so: of such a result nothing else is read."""
    for one in (*(item for item in each(result) if item.get("failed") or item.get("unreachable")), result):
        said = one.get("censored") or one.get("msg") or one.get("stderr")
        if said:
            return " ".join(str(said).split())
    return "no reason given"


def table(header, rows):
    """Lines of a table with columns as wide as they need to be; none without rows."""
    if not rows:
        return []
    widths = [max(len(line[column]) for line in [header, *rows]) for column in range(len(header))]
    lines = [header, ["-" * min(width, RULE) for width in widths], *rows]
    padded = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    return ["", *("  ".join(line).rstrip() for line in padded)]
