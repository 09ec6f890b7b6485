"""The manager over a real PostgreSQL: migrations, quotas under concurrency, keys, and a database that goes away."""

from __future__ import annotations

import asyncio
import base64
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from kubeop.crypto import tokens
from kubeop.crypto.keyring import generate_key
from kubeop.domain.quotas import Quota, total
from kubeop.errors import DatabaseError
from kubeop.kube import kubeconfig as kubeconfigs
from kubeop.manager import migrate, registry, work
from kubeop.manager.app import create_app
from kubeop.manager.storage.database import Database
from kubeop.manager.storage.models import Base, Cluster, Tenant

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: c
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {token: very-secret-token-of-the-admin}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
"""


class Api:
    """A manager's application in this process, over PostgreSQL, without its loop."""

    def __init__(self, settings):
        self.app = create_app(settings, reconcile=False)
        self.app.openapi()  # builds the routes: a service does so in its one loop, the threads here would race
        self.services = self.app.state.services
        self.token = tokens.issue(self.services.signing_keys, subject="t", role="admin", ttl_seconds=600)

    def __call__(self, method, path, **options):
        async def ask():
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://manager") as client:
                headers = {"Authorization": f"Bearer {self.token}"}
                return await client.request(method, path, headers=headers, **options)

        return asyncio.run(ask())

    def cluster(self, name="west"):
        wish = registry.Wish(name, kubeconfigs.load(KUBECONFIG), True, True)
        with self.services.database.transaction() as session:
            return registry.create(session, self.services, wish).id


@pytest.fixture
def api(settings):
    made = []

    def make(**changes):
        made.append(Api(replace(settings, **changes)))
        return made[-1]

    yield make
    for one in made:
        one.services.database.close()


def test_migrations_and_models_agree(settings):
    database = Database(settings.db_url)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    database.close()


def test_migrations_that_run_at_once_and_again(cluster, database_url):
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda _: migrate.migrate(database_url, timeout_seconds=60), range(4)))
    assert sorted(before for before, _ in outcomes) == ["", migrate.head(), migrate.head(), migrate.head()]
    assert migrate.migrate(database_url) == (migrate.head(), migrate.head())


def test_migration_waits_for_a_lock_and_gives_up_in_words(database_url):
    with psycopg.connect(database_url) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", (migrate._LOCK,))
        with pytest.raises(DatabaseError, match="still being migrated by another process"):
            migrate.migrate(database_url, timeout_seconds=0.5)


def test_migration_says_what_is_wrong(database_url):
    parts = urlsplit(database_url)
    wrong = parts._replace(netloc=f"{parts.username}:wrong@{parts.hostname}:{parts.port}").geturl()
    with pytest.raises(DatabaseError, match="password authentication failed") as refused:
        migrate.migrate(wrong, timeout_seconds=30)
    assert "wrong" not in str(refused.value)
    with pytest.raises(DatabaseError, match="does not exist"):
        migrate.migrate(parts._replace(path="/no_such_database").geturl(), timeout_seconds=30)
    with pytest.raises(DatabaseError, match="cannot be reached"):
        migrate.migrate("postgresql://u:p@127.0.0.1:1/x", timeout_seconds=0.5)
    migrate.migrate(database_url)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DatabaseError, match="migrated by a newer version"):
        migrate.migrate(database_url)


def test_labels_come_and_go_with_their_migration(api, settings):
    manager = api()
    cluster = manager.cluster()
    body = {"kubeconfig": base64.b64encode(kubeconfigs.load(KUBECONFIG).as_bytes()).decode()}
    labels = {"region": "eu", "ring": "1_dev"}
    done = manager("PUT", "/v1/clusters/west", json={**body, "labels": labels})
    assert done.status_code == 200 and done.json()["changed"], done.text
    assert manager("GET", "/v1/clusters").json()["items"][0]["labels"] == labels
    database = Database(settings.db_url)
    with database.engine.connect() as connection, connection.begin():
        command.downgrade(migrate._config(connection), "0001")
    with psycopg.connect(settings.db_url) as connection:
        columns = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'clusters' AND column_name = %s"
        assert connection.execute(columns, ("labels",)).fetchone() == (0,)
    database.close()
    # A cluster that was registered before has none.
    assert migrate.migrate(settings.db_url) == ("0001", migrate.head())
    assert manager("GET", f"/v1/clusters/{cluster}").json()["labels"] == {}


def test_projects_made_at_once_never_take_more_than_the_tenant_has(api):
    one, two = api(db_timeout_ms=60000), api(db_timeout_ms=60000)  # two replicas
    cluster = one.cluster()
    quotas = {"cpu": "4", "memory": "100Gi", "pods": 1000}
    tenant = one("POST", "/v1/tenants", json={"name": "acme", "cluster_id": cluster, "quotas": quotas}).json()["id"]

    def make(number):
        body = {"name": f"p{number}", "tenant_id": tenant, "quotas": {"cpu": "700m", "memory": "1Gi"}}
        return (one if number % 2 else two)("POST", "/v1/projects", json=body).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(make, range(16)))
    assert statuses == [201] * 5 + [409] * 11
    made = one("GET", "/v1/projects?limit=100").json()
    assert made["total"] == 5
    spent = total(Quota(**row["quotas"]) for row in made["items"])
    assert spent.cpu == "3500m"

    ids = [row["id"] for row in made["items"]]

    def raise_quota(project_id):
        return two("PATCH", f"/v1/projects/{project_id}", json={"quotas": {"cpu": "1100m"}}).status_code

    with ThreadPoolExecutor(5) as pool:
        assert sorted(pool.map(raise_quota, ids)) == [200, 409, 409, 409, 409]
    lower = one("PUT", f"/v1/tenants/{tenant}", json={"quotas": {"cpu": "3"}})
    assert lower.status_code == 409 and "cpu 3900m is more than 3" in lower.json()["detail"]


def test_one_name_registered_at_once_is_registered_once(api):
    one, two = api(db_timeout_ms=60000), api(db_timeout_ms=60000)
    cluster = one.cluster()
    body = {"name": "acme", "cluster_id": cluster}

    def make(number):
        return (one if number % 2 else two)("POST", "/v1/tenants", json=body).status_code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(make, range(8))) == [201] + [409] * 7


def test_rows_are_claimed_once_and_leases_end(api):
    services = api().services
    for number in range(6):
        wish = registry.Wish(f"c{number}", kubeconfigs.load(KUBECONFIG), True, True)
        with services.database.transaction() as session:
            registry.create(session, services, wish)
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda n: work.claim(services.database, Cluster, f"o{n}"), range(8)))
    ids = [claim.cluster_id for claim in claims if claim]
    assert len(ids) == len(set(ids)) == 6
    assert work.claim(services.database, Cluster, "late") is None
    with services.database.transaction() as session:
        row = session.get_one(Cluster, ids[0])
        owner, generation = row.lease_owner, row.generation
        row.lease_until = work.now(session)
    again = work.claim(services.database, Cluster, "late")
    assert again and again.cluster_id == ids[0]
    # The one that lost its lease changes nothing any more.
    work.finish(
        services.database, Cluster, owner, ids[0], generation, work.Outcome("ready", again_seconds=1, synced=True)
    )
    with services.database.transaction() as session:
        row = session.get_one(Cluster, ids[0])
        assert (row.state, row.lease_owner) == ("pending", "late")


def test_a_cluster_that_does_not_answer_keeps_nobody_busy(api):
    services = (manager := api()).services
    cluster = manager.cluster()
    with services.database.transaction() as session:
        session.get_one(Cluster, cluster).installed_at = work.now(session)
    manager("POST", "/v1/tenants", json={"name": "acme", "cluster_id": cluster})
    claim = work.claim(services.database, Tenant, "me")
    outcome = work.Outcome("pending", "does not answer", unreachable=True)
    work.finish(services.database, Tenant, "me", claim.row_ids[0], 1, outcome)
    manager("POST", "/v1/tenants", json={"name": "other", "cluster_id": cluster})
    assert work.claim(services.database, Tenant, "me") is None


def test_keys_rotate_and_retire_without_losing_a_kubeconfig(api, settings):
    old = api()
    cluster = old.cluster()
    newer = f"{generate_key('kms-2')},{settings.kms_master_key}"
    both = api(kms_master_key=newer)
    states = {key["id"]: key["state"] for key in both("GET", "/v1/keys").json()["kms_keys"]}
    assert states == {"kms-1": "readable", "kms-2": "active"}
    refused = both("POST", "/v1/keys/kms-1/retire")
    assert refused.status_code == 409 and "still wraps 1 data key" in refused.json()["detail"]
    assert both("POST", "/v1/keys/rotate").json() == {"changed": True, "active": "kms-2", "rewrapped": 1}
    assert both("POST", "/v1/keys/rotate").json()["changed"] is False
    assert both("POST", "/v1/keys/kms-2/retire").status_code == 409
    assert both("POST", "/v1/keys/kms-1/retire").json() == {"changed": True}
    assert both("POST", "/v1/keys/kms-1/retire").json() == {"changed": False}
    assert both("POST", "/v1/keys/nothing/retire").status_code == 404

    alone = api(kms_master_key=newer.split(",")[0])
    assert alone("GET", "/readyz").status_code == 200
    with alone.services.database.transaction() as session:
        opened = alone.services.vault.open_kubeconfig(session, session.get_one(Cluster, cluster))
    assert b"very-secret-token" in opened

    # The retired key alone, and another key of the same id: not ready, and nothing is sealed with them.
    lost = old("GET", "/readyz")
    assert lost.status_code == 503 and "kms-1 is retired" in lost.json()["detail"]
    wrong = api(kms_master_key=generate_key("kms-2"))
    answer = wrong("GET", "/readyz")
    assert answer.status_code == 503 and "same id, other bytes" in answer.json()["detail"]
    assert wrong("GET", f"/v1/clusters/{cluster}/status").status_code == 503
    missing = api(kms_master_key=generate_key("kms-9"))
    assert "kms-2" in missing("GET", "/readyz").json()["detail"]


class Gate:
    """A TCP relay to PostgreSQL that can be closed (connections are refused) or frozen (nothing comes back)."""

    def __init__(self, host, port):
        self.target, self.frozen = (host, port), threading.Event()
        self.port, self.loop, self.server, self.open = 0, asyncio.new_event_loop(), None, set()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)

    async def start(self):
        self.server = await asyncio.start_server(self.relay, "127.0.0.1", self.port)
        self.port = self.server.sockets[0].getsockname()[1]

    async def relay(self, reader, writer):
        upstream_reader, upstream_writer = await asyncio.open_connection(*self.target)
        self.open |= {writer, upstream_writer}
        await asyncio.gather(self.pump(reader, upstream_writer), self.pump(upstream_reader, writer))

    async def pump(self, reader, writer):
        try:
            while data := await reader.read(65536):
                while self.frozen.is_set():  # noqa: ASYNC110 - set from another thread
                    await asyncio.sleep(0.05)
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def close(self):
        self.server.close()
        for writer in self.open:
            writer.close()
        self.open.clear()

    def end(self):
        self.frozen.clear()
        self.call(self.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()


@pytest.fixture
def gate(settings):
    parts = urlsplit(settings.db_url)
    relay = Gate(parts.hostname, parts.port)
    relay.call(relay.start())
    yield relay
    relay.end()


@pytest.mark.parametrize("how", ["closed", "frozen"])
def test_a_database_that_goes_away_and_comes_back(api, settings, gate, how):
    parts = urlsplit(settings.db_url)
    url = parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{gate.port}").geturl()
    manager = api(db_url=url, db_timeout_ms=500)
    assert manager("GET", "/readyz").status_code == 200
    manager("GET", "/v1/clusters")

    if how == "closed":
        gate.call(gate.close())
    else:
        gate.frozen.set()
    for path in ("/readyz", "/v1/clusters", "/v1/tenants", "/v1/keys"):
        answer = manager("GET", path)
        assert answer.status_code == 503, path
        assert answer.headers["content-type"] == "application/problem+json"
        assert "does not answer" in answer.text or "did not answer" in answer.text
        assert parts.password not in answer.text
    assert manager("GET", "/healthz").status_code == 200
    refused = manager("POST", "/v1/tenants", json={"name": "lost", "cluster_id": "x"})
    assert refused.status_code == 503

    if how == "closed":
        gate.call(gate.start())
    else:
        gate.frozen.clear()
    deadline = time.monotonic() + 30
    while manager("GET", "/readyz").status_code != 200 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert manager("GET", "/v1/clusters").json()["items"] == []


def test_every_write_leaves_an_audit_entry_without_secrets(api):
    manager = api()
    cluster = manager.cluster()
    made = manager("POST", "/v1/tenants", json={"name": "acme", "cluster_id": cluster, "quotas": {"cpu": "1"}})
    manager("POST", "/v1/tenants", json={"name": "acme", "cluster_id": cluster})
    manager("PUT", f"/v1/tenants/{made.json()['id']}", json={"quotas": {"cpu": "1000m"}})
    manager("POST", "/v1/tenants?dryRun=true", json={"name": "dry", "cluster_id": cluster})
    manager("POST", "/v1/clusters", json={"name": "x", "kubeconfig": "bm90IGEgc2VjcmV0"})
    with manager.services.database.engine.connect() as connection:
        query = "SELECT action, target_kind, outcome, status, subject, request_id, details FROM audit_log ORDER BY at"
        rows = connection.exec_driver_sql(query).all()
    assert [tuple(row[:4]) for row in rows] == [
        ("create", "tenant", "done", 200),
        ("create", "tenant", "refused", 409),
        ("put", "tenant", "unchanged", 200),
        ("create", "cluster", "refused", 422),
    ]
    assert {row.subject for row in rows} == {"t"}
    assert rows[0].request_id == made.headers["x-request-id"]
    assert "bm90" not in str(rows)
