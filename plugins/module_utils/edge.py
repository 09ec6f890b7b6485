# Copyright (c) 2026, kubeop maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The edge between Ansible and the kubeop library: shared options, one call, one kind of error.

A module is its argument spec and one function that calls kubeop; `run` does the rest. Nothing here decides anything.
"""

from __future__ import annotations

import contextlib
import os
import traceback
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

# What an error of the library may tell besides its sentence.
ERROR_FACTS = ("status", "reason")


def cluster_options():
    """The options of every module that talks to a cluster (documentation fragment C(cluster))."""
    return {
        "kubeconfig": {"type": "path"},
        "kubeconfig_content": {"type": "str", "no_log": True},
        "context": {"type": "str", "default": ""},
        "timeout_seconds": {"type": "int", "default": 30},
    }


def manager_options():
    """The options of every module that talks to the manager (documentation fragment C(manager))."""
    return {
        "manager_url": {"type": "str"},
        "manager_kubeconfig": {"type": "path"},
        "manager_kubeconfig_content": {"type": "str", "no_log": True},
        "manager_context": {"type": "str", "default": ""},
        "manager_token": {"type": "str", "required": True, "no_log": True},
        "timeout_seconds": {"type": "int", "default": 30},
    }


def quota_options():
    """The option C(quota) of everything that has one (documentation fragment C(quota))."""
    return {
        "quota": {
            "type": "dict",
            "options": {"cpu": {"type": "str"}, "memory": {"type": "str"}, "pods": {"type": "int"}},
        },
    }


# One of these leads to the manager.
MANAGER_WAYS = ("manager_url", "manager_kubeconfig", "manager_kubeconfig_content")


class Discreet(AnsibleModule):
    """A module whose parameters may hold secrets anywhere, as manifests do: they are neither logged nor returned."""

    def _log_invocation(self):
        """Ansible would write them to the machine's log."""

    def exit_json(self, **kwargs):
        """See AnsibleModule."""
        super().exit_json(invocation={}, **kwargs)

    def fail_json(self, msg, **kwargs):
        """See AnsibleModule."""
        super().fail_json(msg, invocation={}, **kwargs)


def run(call, argument_spec, kind=AnsibleModule, **rules):
    """Make the module, call the library once, and leave with its result or its one sentence."""
    module = kind(argument_spec=argument_spec, supports_check_mode=True, **rules)
    try:
        import kubeop  # noqa: F401 - only its absence matters here
    except ImportError:
        module.fail_json(
            msg=missing_required_lib("kubeop", reason="on the machine that runs the module: pip install kubeop"),
            exception=traceback.format_exc(),
        )
    result = answer(call, module)
    if result.get("failed"):
        module.fail_json(**result)
    module.exit_json(**result)


def answer(call, module):
    """The result of a call of the library, C(failed) with its one sentence where it raised an error."""
    from kubeop.errors import KubeopError, PartlyDone

    try:
        return call(module)
    except KubeopError as error:
        done = changed_result(module, error.result) if isinstance(error, PartlyDone) else {}
        return {**done, **failure(error)}


def failure(error):
    """What every error of the library is in a result."""
    return {**error_facts(error), "failed": True, "msg": str(error)}


def error_facts(error):
    """What an error of the library tells besides its sentence: a status, or which objects failed and which did not."""
    from kubeop.errors import PartlyDone

    facts = {name: getattr(error, name) for name in ERROR_FACTS if hasattr(error, name)}
    if isinstance(error, PartlyDone):
        facts["failures"] = [str(failure) for failure in error.failures]
        facts["changed"] = error.result.changed
    return facts


def cluster_client(module, prefix=""):
    """A client (a context manager) of the cluster that the options name; C(prefix) is for the manager's own cluster."""
    from kubeop.kube.client import Client

    return Client.from_kubeconfig(
        kubeconfig_source(module, prefix),
        context=module.params[prefix + "context"],
        timeout_seconds=module.params["timeout_seconds"],
    )


def kubeconfig_source(module, prefix=""):
    """The kubeconfig that the options name, as the library takes it: its bytes, or its path."""
    content = module.params[prefix + "kubeconfig_content"]
    if content:
        return content.encode()
    return module.params[prefix + "kubeconfig"] or os.environ.get("KUBECONFIG") or Path("~/.kube/config").expanduser()


@contextlib.contextmanager
def manager_client(module):
    """A client of the manager: at C(manager_url), or through a tunnel into the cluster that runs it."""
    from kubeop import names
    from kubeop.kube.tunnel import open_tunnel
    from kubeop.manager.client import ManagerClient

    token, timeout = module.params["manager_token"], module.params["timeout_seconds"]
    if module.params["manager_url"]:
        yield ManagerClient(module.params["manager_url"], token, timeout_seconds=timeout)
        return
    with (
        cluster_client(module, "manager_") as client,
        open_tunnel(client, names.PLATFORM_NAMESPACE, names.MANAGER, names.MANAGER_PORT) as url,
    ):
        yield ManagerClient(url, token, timeout_seconds=timeout)


def quota(module):
    """The option C(quota) as the library's record."""
    from kubeop.domain.quotas import Quota

    return Quota.of(module.params["quota"])


def outcome(module, done, name):
    """What every module that writes through the manager returns, from the library's Outcome."""
    result = {"changed": done.changed}
    if done.record:
        result[name] = done.record
    if module._diff:
        result["diff"] = {"before": done.before, "after": done.after}
    return result


def changed_result(module, applied):
    """What every module that applies objects returns, from the library's ApplyResult."""
    result = {
        "changed": applied.changed,
        "changes": [
            {
                "action": change.action,
                "api_version": change.api_version,
                "kind": change.kind,
                "namespace": change.namespace,
                "name": change.name,
            }
            for change in applied.changes
            if change.action != "unchanged"
        ],
        "counts": {
            action: sum(change.action == action for change in applied.changes)
            for action in ("create", "update", "unchanged", "delete")
        },
    }
    if module._diff:
        result["diff"] = applied.diff()
    return result
