"""Bringing a whole cluster up, looking at it, loading images into it, and taking it down.

`up` is level-triggered: it looks at each part and starts what is not there, so that running it again repairs whatever a
crash, a kill or a reboot left. `down` ends and deletes everything that carries the cluster's name and nothing else.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from kubeop.devcluster import (
    addons,
    builds,
    cgroups,
    control_plane,
    database,
    images,
    network,
    node,
    pki,
    preflight,
    processes,
    slots,
    teardown,
    traces,
)
from kubeop.devcluster.api import Api
from kubeop.devcluster.layout import DEFAULT_NAME, Addresses, Cluster, Layout
from kubeop.devcluster.processes import Component
from kubeop.devcluster.progress import Report, Silent
from kubeop.devcluster.shell import wait
from kubeop.errors import DevClusterError

NODE_SECONDS = 90.0
_IMAGES = ("pause", "coredns")


@dataclass(frozen=True)
class ComponentStatus:
    """One process of a cluster; `pid` is 0 when it does not run."""

    name: str
    running: bool
    pid: int


@dataclass(frozen=True)
class Status:
    """A cluster as it is now. `exists` is false when nothing of it is on this machine."""

    name: str
    exists: bool
    node_ready: bool
    components: tuple[ComponentStatus, ...]
    node_address: str = ""

    @property
    def healthy(self) -> bool:
        """Whether all of it runs and the node is Ready."""
        return self.exists and self.node_ready and all(component.running for component in self.components)


@dataclass(frozen=True)
class _Parts:
    """The components, in the order in which they start."""

    etcd: Component
    apiserver: Component
    postgresql: Component
    containerd: Component
    controller_manager: Component
    scheduler: Component
    kubelet: Component
    kube_proxy: Component

    def all(self) -> tuple[Component, ...]:
        return (self.etcd, self.apiserver, self.postgresql, self.containerd, self.controller_manager, self.scheduler,
                self.kubelet, self.kube_proxy)  # fmt: skip


def up(name: str = DEFAULT_NAME, *, assets: Path | None = None, report: Report | None = None) -> Cluster:
    """Start the cluster, or repair the one that is there. DevClusterError says what is in the way."""
    report = report or Silent()
    layout = Layout(name)
    preflight.check_privileges()
    preflight.check_machine()
    binaries = builds.provide(report, assets)
    with slots.lock(layout.lock):
        addresses = slots.claim(layout)
        try:
            with Api(layout) as api:
                _Start(layout, addresses, binaries, api, report).run()
        except DevClusterError as error:
            again = f"`kubeop dev up --name {name}` tries again, `kubeop dev down --name {name}` clears up."
            raise DevClusterError(error.message, hint=f"{error.hint} {again}".strip()) from error
    return _cluster(layout, addresses)


def down(name: str = DEFAULT_NAME, *, report: Report | None = None) -> bool:
    """Stop the cluster and delete all of it, data included. False if there was nothing of it."""
    layout = Layout(name)
    preflight.check_privileges()
    with slots.lock(layout.lock):
        existed = teardown.remove(layout, report or Silent())
        layout.lock.unlink()
    return existed


def status(name: str = DEFAULT_NAME) -> Status:
    """What of the cluster runs."""
    layout = Layout(name)
    addresses = slots.addresses(layout)
    if addresses is None:
        return Status(name, exists=False, node_ready=False, components=())
    binaries, _ = builds.find()
    with Api(layout) as api:
        found = []
        for component in _parts(layout, addresses, binaries, api).all():
            process = processes.recorded(layout, component.name)
            alive = process is not None and process.alive()
            found.append(ComponentStatus(component.name, alive, process.pid if process is not None and alive else 0))
        return Status(name, True, api.node_ready(), tuple(found), addresses.node)


def load_image(name: str, archive: Path) -> tuple[tuple[str, bool], ...]:
    """Load an OCI archive into the cluster; its image references, each with whether it was new there."""
    layout = Layout(name)
    preflight.check_privileges()
    get(name)
    process = processes.recorded(layout, "containerd")
    if process is None or not process.alive():
        raise DevClusterError(f"The cluster {name!r} is not running.", hint=f"Run `kubeop dev up --name {name}`.")
    return tuple((image.reference, new) for image, new in images.load(layout, archive))


def get(name: str = DEFAULT_NAME) -> Cluster:
    """How to reach the cluster, running or not. DevClusterError if there is none of this name."""
    layout = Layout(name)
    addresses = slots.addresses(layout)
    if addresses is None or not layout.kubeconfig.exists():
        others = ", ".join(slots.names())
        raise DevClusterError(
            f"There is no cluster {name!r} on this machine{f' (there is {others})' if others else ''}.",
            hint=f"Run `kubeop dev up --name {name}`.",
        )
    return _cluster(layout, addresses)


@dataclass(frozen=True)
class _Start:
    """One run of `up`."""

    layout: Layout
    addresses: Addresses
    binaries: builds.Binaries
    api: Api
    report: Report

    def run(self) -> None:
        layout, addresses = self.layout, self.addresses
        tree = cgroups.detect()
        with self.report.phase("network, certificates, configuration"):
            for folder in (layout.run, layout.logs, layout.config, layout.containerd, layout.kubelet):
                folder.mkdir(exist_ok=True)
            if not network.present(layout, addresses):
                # Processes in a namespace without a handle would hold the ports and addresses of the old one.
                teardown.stop_all(layout, tree)
                network.create(layout, addresses)
            cgroups.create(layout, tree)
            traces.prepare_kernel()
            pki.write(layout, addresses)
            node.write(layout, addresses, tree, _reference("pause"))
        parts = _parts(layout, addresses, self.binaries, self.api)
        with ThreadPoolExecutor(max_workers=2) as pool:
            others = (
                pool.submit(self._database, parts.postgresql),
                pool.submit(self._runtime, parts.containerd),
            )
            with self.report.phase("etcd and API server"):
                self._api_server(parts.etcd, parts.apiserver)
            with self.report.phase("PostgreSQL, containerd and its images"):
                _results(others)
        with self.report.phase("controllers and node"):
            for component in (parts.kubelet, parts.controller_manager, parts.scheduler):
                self._ensure(component)
            addons.apply(self.api, addresses, _reference("coredns"))
            self._wait("The node", self.api.node_ready, parts.kubelet)
            self._ensure(parts.kube_proxy)
        with self.report.phase("cluster DNS"):
            self._wait("CoreDNS", lambda: addons.ready(self.api), parts.kubelet)

    def _ensure(self, component: Component) -> None:
        processes.ensure(self.layout, component)

    def _wait(self, what: str, ready: Callable[[], bool], component: Component) -> None:
        log = self.layout.log(component.name)

        def check() -> bool:
            if not processes.running(self.layout, component):
                raise DevClusterError(f"{component.name} ended: {processes.last_words(log)}", hint=f"Its log is {log}.")
            return ready()

        wait(what, check, timeout_seconds=NODE_SECONDS, hint=f"See {self.layout.logs}.")

    def _api_server(self, etcd: Component, apiserver: Component) -> None:
        layout = self.layout
        if not layout.etcd_used.exists():
            # etcd that is ended in its first moment may leave a log without itself in it: it then never leads.
            for component in (apiserver, etcd):
                processes.end(layout, component)
            if layout.etcd.exists():
                shutil.rmtree(layout.etcd)
        layout.etcd.mkdir(mode=0o700, exist_ok=True)
        self._ensure(etcd)
        self._ensure(apiserver)
        layout.etcd_used.touch()

    def _database(self, component: Component) -> None:
        database.prepare(self.layout, self.addresses)
        self._ensure(component)
        database.create(self.layout, self.addresses)

    def _runtime(self, component: Component) -> None:
        self._ensure(component)
        present = images.loaded(self.layout)
        for name in _IMAGES:
            if _reference(name) not in present:  # the reference holds the version, so it is the same image
                archive = self.layout.run / f"{name}.tar"
                images.write_archive(archive, _reference(name), self.binaries.path(name), entrypoint=f"/{name}")
                images.load(self.layout, archive)
                archive.unlink()


def _parts(layout: Layout, addresses: Addresses, binaries: builds.Binaries, api: Api) -> _Parts:
    return _Parts(
        etcd=control_plane.etcd(layout, binaries),
        apiserver=control_plane.apiserver(layout, addresses, binaries, api),
        postgresql=database.component(layout, addresses),
        containerd=node.containerd(layout),
        controller_manager=control_plane.controller_manager(layout, addresses, binaries),
        scheduler=control_plane.scheduler(layout, binaries),
        kubelet=node.kubelet(layout, addresses, binaries),
        kube_proxy=node.kube_proxy(layout, addresses, binaries),
    )


def _reference(name: str) -> str:
    module = next(module for module in builds.MODULES if module.name == name)
    return f"localhost/kubeop/{name}:{builds.version(module)}"


def _results(futures: tuple[Future[None], ...]) -> None:
    """Wait for all, then raise the first failure."""
    failures = [error for error in (future.exception() for future in futures) if error is not None]
    if failures:
        raise failures[0]


def _cluster(layout: Layout, addresses: Addresses) -> Cluster:
    return Cluster(layout.name, layout.kubeconfig, database.url(layout), addresses.node, layout.root)
