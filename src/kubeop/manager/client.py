"""The manager's API for other programs: the Ansible modules and the command line. Needs nothing of the service."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import quote, urlencode, urlsplit

import urllib3

from kubeop.errors import InputError, ManagerError

Record = dict[str, Any]
_PAGE = 500


class ManagerClient:
    """A manager at `base_url`, asked with `token`. `timeout_seconds`: for each answer. Thread-safe.

    Every method raises ManagerError, which carries the HTTP status and the manager's own words. `dry_run` checks
    everything and changes nothing. `ca_file`: who vouches for an https:// manager, the system's authorities if empty.
    """

    def __init__(self, base_url: str, token: str, timeout_seconds: float = 30.0, *, ca_file: str = "") -> None:
        if urlsplit(base_url).scheme not in ("http", "https") or not urlsplit(base_url).hostname:
            raise InputError(f"The manager's address is {base_url!r}.", hint="Use http://HOST:PORT or https://HOST.")
        self.base_url = base_url.rstrip("/")
        self._token = token
        self._http = urllib3.PoolManager(
            maxsize=8,
            timeout=urllib3.Timeout(connect=min(10.0, timeout_seconds), read=timeout_seconds),
            retries=False,
            ca_certs=ca_file or None,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"ManagerClient({self.base_url!r})"

    def close(self) -> None:
        """Close the connections."""
        self._http.clear()

    def version(self) -> str:
        """The manager's version."""
        return str(self._call("GET", "/version")["version"])

    def healthy(self) -> bool:
        """Whether the manager answers and is ready to serve."""
        try:
            self._call("GET", "/readyz")
        except ManagerError:
            return False
        return True

    def clusters(self) -> list[Record]:
        """Every registered cluster."""
        return self._all("/v1/clusters", {})

    def cluster(self, name_or_id: str) -> Record | None:
        """One cluster, None when it is not registered."""
        return self._find(f"/v1/clusters/{quote(name_or_id, safe='')}")

    def register_cluster(
        self,
        name: str,
        kubeconfig: bytes,
        auto_bootstrap: bool = True,
        install_admission: bool = True,
        dry_run: bool = False,
        *,
        labels: Mapping[str, str] | None = None,
    ) -> tuple[Record, bool]:
        """Register a cluster, or change the one of this name; its record, and whether anything changed.

        `labels` are all that it shall have; None leaves them as they are.
        """
        body: Record = {
            "name": name,
            "kubeconfig": base64.b64encode(kubeconfig).decode(),
            "autoBootstrap": auto_bootstrap,
            "installAdmission": install_admission,
        }
        if labels is not None:
            body["labels"] = dict(labels)
        return self._write("PUT", f"/v1/clusters/{quote(name, safe='')}", body, dry_run=dry_run)

    def cluster_status(self, name_or_id: str) -> Record:
        """What the cluster itself says of each component at this moment."""
        return self._call("GET", f"/v1/clusters/{quote(name_or_id, safe='')}/status")

    def cluster_ready(self, name_or_id: str) -> tuple[bool, str]:
        """Whether the platform is ready in a cluster, and what it waits for."""
        try:
            answer = self._call("GET", f"/v1/clusters/{quote(name_or_id, safe='')}/ready")
        except ManagerError as error:
            if error.status == 503:
                return False, error.message
            raise
        return True, "; ".join(f"{part['name']}: {part['detail']}" for part in answer["components"])

    def delete_cluster(self, name_or_id: str, dry_run: bool = False) -> bool:
        """Forget a cluster; False when it was not registered."""
        return self._delete(f"/v1/clusters/{quote(name_or_id, safe='')}", dry_run=dry_run)

    def tenants(self, cluster: str = "", name: str = "") -> list[Record]:
        """Tenants, of one cluster (id or name) or all, with a name or all."""
        return self._all("/v1/tenants", {"clusterID": cluster, "name": name})

    def ensure_tenant(
        self, cluster: str, name: str, quotas: Mapping[str, Any] | None = None, dry_run: bool = False
    ) -> tuple[Record, bool]:
        """Make a tenant, or set the quotas of the one that is there; its record, and whether anything changed."""
        found = self.tenants(cluster, name)
        wanted = dict(quotas or {})
        if found:
            return self._write("PUT", f"/v1/tenants/{found[0]['id']}", {"quotas": wanted}, dry_run=dry_run)
        return self._write(
            "POST", "/v1/tenants", {"cluster_id": cluster, "name": name, "quotas": wanted}, dry_run=dry_run
        )

    def delete_tenant(self, tenant_id: str, dry_run: bool = False) -> bool:
        """Delete a tenant; False when it was not there, or is being deleted."""
        return self._delete(f"/v1/tenants/{quote(tenant_id, safe='')}", dry_run=dry_run)

    def projects(self, cluster: str = "", tenant_id: str = "", name: str = "") -> list[Record]:
        """Projects, of one cluster, of one tenant, with a name, or all."""
        return self._all("/v1/projects", {"clusterID": cluster, "tenantID": tenant_id, "name": name})

    def ensure_project(
        self, tenant_id: str, name: str, quotas: Mapping[str, Any] | None = None, dry_run: bool = False
    ) -> tuple[Record, bool]:
        """Make a project of a tenant, or set the quotas of the one that is there."""
        found = self.projects(tenant_id=tenant_id, name=name)
        wanted = dict(quotas or {})
        if found:
            return self._write("PUT", f"/v1/projects/{found[0]['id']}", {"quotas": wanted}, dry_run=dry_run)
        body = {"tenant_id": tenant_id, "name": name, "quotas": wanted}
        return self._write("POST", "/v1/projects", body, dry_run=dry_run)

    def delete_project(self, project_id: str, dry_run: bool = False) -> bool:
        """Delete a project and its namespace; False when it was not there, or is being deleted."""
        return self._delete(f"/v1/projects/{quote(project_id, safe='')}", dry_run=dry_run)

    def platform_status(self) -> Record:
        """Counts of clusters, tenants and projects by state."""
        return self._call("GET", "/v1/platform/status")

    def _find(self, path: str) -> Record | None:
        try:
            return self._call("GET", path)
        except ManagerError as error:
            if error.status == 404:
                return None
            raise

    def _all(self, path: str, filters: Mapping[str, str]) -> list[Record]:
        records: list[Record] = []
        offset: int | None = 0
        while offset is not None:
            query = {key: value for key, value in filters.items() if value} | {
                "limit": str(_PAGE),
                "offset": str(offset),
            }
            page = self._call("GET", path, query=query)
            records += page["items"]
            offset = page["next_offset"]
        return records

    def _write(self, method: str, path: str, body: Record, *, dry_run: bool) -> tuple[Record, bool]:
        record = self._call(method, path, query={"dryRun": "true"} if dry_run else {}, body=body)
        return record, bool(record.pop("changed"))

    def _delete(self, path: str, *, dry_run: bool) -> bool:
        try:
            answer = self._call("DELETE", path, query={"dryRun": "true"} if dry_run else {})
        except ManagerError as error:
            if error.status == 404:
                return False
            raise
        return bool(answer.get("changed", True))

    def _call(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: Record | None = None
    ) -> Record:
        url = f"{self.base_url}{path}{'?' + urlencode(query) if query else ''}"
        headers = {"Accept": "application/json", "Authorization": f"Bearer {self._token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            response = self._http.request(
                method, url, headers=headers, body=None if body is None else json.dumps(body).encode(), redirect=False
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ManagerError(
                f"The manager at {self.base_url} does not answer ({type(error).__name__}).",
                hint="Check the address, and that the manager runs.",
            ) from error
        return self._answer(response.status, response.data)

    def _answer(self, status: int, data: bytes) -> Record:
        try:
            parsed = json.loads(data) if data else {}
        except ValueError:
            parsed = None
        if status >= 400 or not isinstance(parsed, dict):
            # Only the words of a problem are shown: any other body may be of somebody else.
            problem = parsed if isinstance(parsed, dict) else {}
            detail = str(problem.get("detail") or "") or f"The manager at {self.base_url} answered HTTP {status}."
            raise ManagerError(detail, status=status, hint=str(problem.get("hint") or ""))
        return parsed
