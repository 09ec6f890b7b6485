"""The `kubeop operator` process: health and metrics first, then the election, then the controllers while it leads.

A leader that cannot renew the Lease in time does nothing more until it can. One that finds another holder ends at once,
without tidying up: whatever it would still write could meet the new leader's work. The kubelet starts it again.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
import time
import uuid
from dataclasses import dataclass, field
from types import FrameType

from kubeop import names
from kubeop.kube.client import Client
from kubeop.kube.kubeconfig import Kubeconfig
from kubeop.kube.transport import RetryPolicy, Stop
from kubeop.operator.controllers import Controllers, Options
from kubeop.operator.election import LeaderElector, Timing
from kubeop.operator.watch import run_watches
from kubeop.telemetry import endpoints, metrics
from kubeop.telemetry.logs import get_logger

LOST_LEASE = 1  # exit code

_POLL_SECONDS = 0.1
_REQUEST_SECONDS = 15.0
# A request that meets an API server on its way down or up is tried again for a moment; the queue does the rest.
_RETRY = RetryPolicy(connection_seconds=2.0, busy_seconds=5.0)
_NO_RETRY = RetryPolicy(connection_seconds=0.0, busy_seconds=0.0)  # the election has its own pace


@dataclass(frozen=True)
class Settings:
    """Ports of 0 take a free one."""

    options: Options = field(default_factory=Options)
    timing: Timing = field(default_factory=Timing)
    lease: str = names.OPERATOR_LEASE
    metrics_port: int = names.OPERATOR_METRICS_PORT
    health_port: int = names.OPERATOR_HEALTH_PORT


def run(kubeconfig: Kubeconfig, settings: Settings) -> int:
    """Run until SIGTERM or SIGINT (0) or until the Lease is lost (1; the process should end then). Main thread only."""
    stop = Stop()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    log = get_logger(__name__)
    with (
        endpoints.serve(settings.metrics_port, {}) as metrics_server,
        endpoints.serve(settings.health_port, {}) as health_server,
        Client(kubeconfig, timeout_seconds=settings.timing.renew_deadline / 2, retry=_NO_RETRY) as lease_client,
        Client(kubeconfig, timeout_seconds=_REQUEST_SECONDS, retry=_RETRY) as client,
    ):
        log.info("started", metrics_port=metrics_server.port, health_port=health_server.port)
        identity = f"{socket.gethostname()}_{uuid.uuid4()}"
        elector = LeaderElector(lease_client, identity, name=settings.lease, timing=settings.timing)
        metrics.set_leader(settings.lease, leading=False)
        if not _wait_for_lease(elector, stop):
            return 0
        metrics.set_leader(settings.lease, leading=True)
        log.info("leading", identity=elector.identity)
        return _lead(client, elector, settings, stop)


def _wait_for_lease(elector: LeaderElector, stop: Stop) -> bool:
    """True once this process leads. A follower that is told to stop need not wait for its watch to end."""
    acquired = threading.Event()

    def acquire() -> None:
        if elector.acquire(stop):
            acquired.set()

    threading.Thread(target=acquire, name="kubeop-election", daemon=True).start()
    while not stop.is_set():
        if acquired.wait(_POLL_SECONDS):
            return True
    return False


def _lead(client: Client, elector: LeaderElector, settings: Settings, stop: Stop) -> int:
    """Work until told to stop, watching over the Lease from here."""
    log = get_logger(__name__)
    controllers = Controllers(client, elector.is_leader, settings.options)

    def watch() -> None:
        while not controllers.started.wait(_POLL_SECONDS):
            if stop.is_set():
                return
        run_watches(client, controllers.on_event, stop)

    threads = (
        threading.Thread(target=elector.keep, args=(stop,), name="kubeop-lease", daemon=True),
        threading.Thread(target=controllers.run, name="kubeop-policy", daemon=True),
        threading.Thread(target=watch, name="kubeop-watch", daemon=True),
    )
    for thread in threads:
        thread.start()
    leading = True
    while not stop.is_set():
        # Not stop.wait: a signal that came while this thread is inside it would lock itself out.
        time.sleep(_POLL_SECONDS)
        if elector.lost and not stop.is_set():
            log.error("another replica holds the Lease; this process ends at once")
            end_at_once(LOST_LEASE)
        if elector.is_leader() != leading:
            leading = not leading
            metrics.set_leader(settings.lease, leading=leading)
            log.warning("leading again" if leading else "the Lease is not renewed; nothing is done until it is")
    if not controllers.stop():
        log.warning("some work is still under way; the Lease runs out by itself")
        return 0
    threads[0].join(settings.timing.renew_deadline / 2)  # a renewal on its way must not meet the release
    elector.release()
    metrics.set_leader(settings.lease, leading=False)
    log.info("stopped")
    return 0


def end_at_once(code: int) -> None:
    """End the process without waiting for its threads."""
    logging.shutdown()
    sys.stdout.flush()
    os._exit(code)
