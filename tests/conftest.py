"""What integration tests run against: a real cluster, a client for it, and a fresh database for each test.

KUBEOP_TEST_CLUSTER names an embedded cluster that is up already; it is used and left running. Otherwise the cluster
`kubeop-test` is started for the session and removed after it, unless it was there before.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from kubeop import devcluster
from kubeop.kube.client import Client

TEST_CLUSTER = "kubeop-test"


@pytest.fixture(scope="session")
def cluster() -> Iterator[devcluster.Cluster]:
    """A running embedded cluster."""
    named = os.environ.get("KUBEOP_TEST_CLUSTER")
    if named:
        yield devcluster.get(named)
        return
    existed = devcluster.status(TEST_CLUSTER).exists
    yield devcluster.up(TEST_CLUSTER)
    if not existed:
        devcluster.down(TEST_CLUSTER)


@pytest.fixture
def kube(cluster: devcluster.Cluster) -> Iterator[Client]:
    """A client with the administrator's rights."""
    with Client.from_kubeconfig(cluster.kubeconfig) as client:
        yield client


@pytest.fixture
def database_url(cluster: devcluster.Cluster) -> Iterator[str]:
    """The URL of an empty database, dropped after the test."""
    import psycopg  # here, because unit tests run without the manager's extra
    from psycopg import sql

    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(cluster.database_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield urlsplit(cluster.database_url)._replace(path=f"/{name}").geturl()
    finally:
        with psycopg.connect(cluster.database_url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
