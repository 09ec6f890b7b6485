# Copyright (c) 2026, kubeop maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""For the tests: every task's result as JSON on standard output, and nothing else there."""

from __future__ import annotations

import json
import sys

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: results
type: stdout
short_description: every task's result as JSON
description: [For the tests of this collection.]
"""


class CallbackModule(CallbackBase):
    """The callback."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "results"

    def __init__(self):
        super().__init__()
        self.results = []

    def v2_runner_on_ok(self, result):
        self.results.append(result.result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self.results.append({**result.result, "failed": True})

    def v2_playbook_on_stats(self, stats):
        sys.stdout.write(json.dumps(self.results, default=str))
