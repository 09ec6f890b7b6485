# Copyright (c) 2026, kubeop maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The manager's clusters as hosts."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: clusters
short_description: The clusters of the manager as hosts
version_added: 0.1.0
author: kubeop maintainers (@kubeop)
description:
  - Every cluster that is registered with the manager becomes a host of the group C(clusters).
  - Its variables are C(kubeop_cluster_id), C(kubeop_cluster_state), C(kubeop_cluster_ready) and
    C(kubeop_cluster_detail), and C(kubeop_cluster_labels), a dictionary, which O(keyed_groups), O(groups) and
    O(compose) see too. No kubeconfig and no token is ever among them, nor in the cache.
  - Its labels become groups. The label C(region) with the value C(eu) makes the group C(region_eu), the label C(ring)
    with the value C(1_dev) makes C(ring_1_dev), which the playbooks take as a ring. Any other label, such as C(tier)
    with the value C(gold), makes C(label_tier_gold). What cannot stand in the name of a group becomes an underscore.
  - The module M(kubeop.platform.cluster) sets labels.
  - The source is a file whose name ends in C(clusters.yml) or C(clusters.yaml).
options:
  plugin:
    description: The name of this plugin.
    type: str
    required: true
    choices: [kubeop.platform.clusters]
  manager_url:
    description:
      - Base URL of the manager's API, such as V(https://kubeop.example.com).
      - One of O(manager_url) and O(manager_kubeconfig) is needed; O(manager_url) wins.
    type: str
    env:
      - name: KUBEOP_MANAGER_URL
  manager_kubeconfig:
    description: Path of a kubeconfig of the cluster that runs the manager; a tunnel through it leads to the manager.
    type: path
    env:
      - name: KUBEOP_MANAGER_KUBECONFIG
  manager_context:
    description: The context of the manager's kubeconfig to use; empty means its current one.
    type: str
    default: ""
  manager_token:
    description:
      - A token of the manager's API with the role C(admin).
      - It may be a template, such as one with the filter P(kubeop.platform.admin_token#filter).
    type: str
    required: true
    env:
      - name: KUBEOP_MANAGER_TOKEN
  timeout_seconds:
    description: The time that one request may take, in seconds.
    type: int
    default: 30
extends_documentation_fragment:
  - constructed
  - inventory_cache
requirements:
  - python >= 3.11
  - kubeop >= 0.1.0, on the controller (C(pip install kubeop))
"""

EXAMPLES = r"""
---
plugin: kubeop.platform.clusters
manager_url: https://kubeop.example.com
cache: true
keyed_groups:
  - key: kubeop_cluster_state
    prefix: state
groups:
  governed: kubeop_cluster_ready
compose:
  region: kubeop_cluster_labels.region | default('nowhere')
"""

import contextlib

from ansible.errors import AnsibleParserError
from ansible.inventory.group import to_safe_group_name
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable

# Host variable: what it is in the manager's answer. Nothing else of an answer is kept.
VARIABLES = {
    "kubeop_cluster_id": "id",
    "kubeop_cluster_state": "state",
    "kubeop_cluster_ready": "ready",
    "kubeop_cluster_detail": "detail",
    "kubeop_cluster_labels": "labels",
}
# The labels whose groups are named as the playbooks and the example inventory name theirs.
PLAIN_LABELS = ("region", "ring")


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """The inventory plugin."""

    NAME = "kubeop.platform.clusters"

    def verify_file(self, path):
        return super().verify_file(path) and path.endswith(("clusters.yml", "clusters.yaml"))

    def parse(self, inventory, loader, path, cache=True):
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        self.load_cache_plugin()
        key = self.get_cache_key(path)
        keeps = self.get_option("cache")
        found = self._cache.get(key) if keeps and cache else None
        if found is None:
            found = self._ask()
            if keeps:
                self._cache[key] = found
        self._fill(found)

    def _ask(self):
        """Every cluster's name and variables, from the manager."""
        try:
            from kubeop.errors import KubeopError
            from kubeop.manager import fleet
        except ImportError as error:
            raise AnsibleParserError("The inventory plugin clusters needs kubeop: pip install kubeop.") from error
        try:
            with self._manager() as manager:
                records = fleet.describe(manager)
        except KubeopError as error:
            raise AnsibleParserError(str(error)) from error
        return {record["name"]: {variable: record[name] for variable, name in VARIABLES.items()} for record in records}

    @contextlib.contextmanager
    def _manager(self):
        from kubeop import names
        from kubeop.kube.client import Client
        from kubeop.kube.tunnel import open_tunnel
        from kubeop.manager.client import ManagerClient

        url, kubeconfig, token, timeout = (
            self._text(name) for name in ("manager_url", "manager_kubeconfig", "manager_token", "timeout_seconds")
        )
        if url:
            yield ManagerClient(url, token, timeout_seconds=timeout)
            return
        if not kubeconfig:
            raise AnsibleParserError("Give manager_url or manager_kubeconfig to the inventory plugin clusters.")
        context = self._text("manager_context")
        with (
            Client.from_kubeconfig(kubeconfig, context=context, timeout_seconds=timeout) as client,
            open_tunnel(client, names.PLATFORM_NAMESPACE, names.MANAGER, names.MANAGER_PORT) as address,
        ):
            yield ManagerClient(address, token, timeout_seconds=timeout)

    def _text(self, name):
        """An option, its template filled in."""
        value = self.get_option(name)
        return self.templar.template(value) if isinstance(value, str) else value

    def _group_of(self, key, value):
        """The group of the clusters with this label."""
        prefix = key if key in PLAIN_LABELS else f"label_{key}"
        return to_safe_group_name(f"{prefix}_{value}" if value else prefix, force=True, silent=True)

    def _fill(self, found):
        strict = self.get_option("strict")
        group = self.inventory.add_group("clusters")
        for host, variables in found.items():
            self.inventory.add_host(host, group=group)
            for name, value in variables.items():
                self.inventory.set_variable(host, name, value)
            for key, value in (variables.get("kubeop_cluster_labels") or {}).items():  # a cache of old has none
                self.inventory.add_host(host, group=self.inventory.add_group(self._group_of(key, value)))
            known = {**variables, "inventory_hostname": host}
            self._set_composite_vars(self.get_option("compose"), known, host, strict=strict)
            self._add_host_to_composed_groups(self.get_option("groups"), known, host, strict=strict)
            self._add_host_to_keyed_groups(self.get_option("keyed_groups"), known, host, strict=strict)
