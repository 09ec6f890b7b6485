# Copyright (c) 2026, kubeop maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running a module inside Ansible's own process, where it would otherwise be a process beside it with the same Python.

A module is packed, written, started and imports the library anew for each task and host: half a second each time.
On the controller itself, with the Python that Ansible runs with, none of that is needed. Everywhere else (another host,
user or interpreter, variables of the environment, a task in the background) the module runs as any module does.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import sys
from collections.abc import Mapping
from pathlib import Path

from ansible.module_utils.common.arg_spec import ModuleArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.module_utils.errors import UnsupportedError
from ansible.plugins.action.normal import ActionModule as Beside

from ansible_collections.kubeop.platform.plugins.module_utils import edge

try:
    from kubeop.kube import apply
    from kubeop.manager import baselines
except ImportError:
    LIBRARY = ()
else:
    LIBRARY = (apply, baselines)  # imported here, once, instead of in each of the forks that run the tasks


class Call:
    """What the code of a module sees of AnsibleModule."""

    def __init__(self, params, check_mode, diff):
        self.params = params
        self.check_mode = check_mode
        self._diff = diff


class Inside(Beside):
    """An action plugin of a module; C(code) is the module, with its C(call), C(ARGUMENTS) and C(RULES)."""

    code = None

    def run(self, tmp=None, task_vars=None):
        """Run it here if that is the same as running it beside."""
        if not self._is_here(task_vars or {}):
            return super().run(tmp, task_vars)
        validator = ModuleArgumentSpecValidator(self.code.ARGUMENTS, **self.code.RULES)
        checked = validator.validate(plain(self._task.args))
        if checked.error_messages:
            unknown = isinstance(checked.errors[0], UnsupportedError)
            said = f"Unsupported parameters for ({self._task.action}) module: " if unknown else ""
            return {"failed": True, "msg": said + checked.errors.msg}
        call = Call(checked.validated_parameters, self._task.check_mode, self._task.diff)
        with contextlib.chdir(self._loader.get_basedir()):  # where the connection plugin would have started it
            result = edge.answer(self.code.call, call)
        return remove_values(result, checked._no_log_values)

    def _is_here(self, task_vars):
        if self._task.delegate_to:
            task_vars = task_vars["ansible_delegated_vars"][self._task.delegate_to]
        own = Path(sys.executable)
        interpreter = Path(self._templar.template(task_vars.get("ansible_python_interpreter") or sys.executable))
        return (
            bool(LIBRARY)
            and self._connection.transport == "local"
            and self._connection.become is None
            and not self._task.async_val
            and not any(self._task.environment or ())
            # The folder too: the Python of every virtual environment is a link to that of the system.
            and (interpreter.parent.resolve(), interpreter.resolve()) == (own.parent.resolve(), own.resolve())
        )


def plain(value):
    """A task's value as a module gets it: of JSON's types, without what Ansible has attached to it."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(one) for one in value]
    if value is None or isinstance(value, bool):
        return value
    for kind in (int, float):
        if isinstance(value, kind):
            return kind(value)
    return value.isoformat() if isinstance(value, (dt.date, dt.datetime)) else str(value)
