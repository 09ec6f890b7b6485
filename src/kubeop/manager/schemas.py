"""What goes in and out of the API, as pydantic models; the OpenAPI document is made of them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Item = TypeVar("Item")
State = Literal["pending", "bootstrapping", "ready", "failed", "deleting"]

Name = Annotated[
    str,
    Field(
        min_length=1, max_length=63, description="A DNS label: lowercase letters, digits, dashes.", examples=["acme"]
    ),
]


def _quantity_text(value: Any) -> Any:
    # YAML and JSON writers send 2 for "2"; a quantity is text from here on.
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Quantity = Annotated[str, BeforeValidator(_quantity_text), Field(max_length=64)]


class Input(BaseModel):
    """A request's body: unknown fields are refused, so that a typing error is not lost."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Record(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(from_attributes=True)


class Page(Record, Generic[Item]):
    """One page of a list."""

    items: list[Item]
    total: int = Field(description="How many there are in all, on every page.")
    next_offset: int | None = Field(default=None, description="The `offset` of the next page; null on the last one.")


class Quotas(Input):
    """Limits on the sum of requests. What is left out is unlimited for a tenant, the default for a project."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)

    cpu: Quantity | None = Field(default=None, description="Cores, as a quantity.", examples=["500m", "2"])
    memory: Quantity | None = Field(default=None, description="Bytes, as a quantity.", examples=["1Gi"])
    pods: int | None = Field(default=None, ge=0, le=2**31 - 1, description="How many pods.", examples=[10])


class SyncedRecord(Record):
    """How far the manager is with carrying a record into its cluster."""

    state: State = Field(description="`ready` once the cluster has it.")
    message: str = Field(description="What it waits for or what went wrong; empty when all is well.")
    created_at: datetime
    updated_at: datetime


class ClusterInput(Input):
    """A cluster to register."""

    name: Name
    kubeconfig: str = Field(
        max_length=1_500_000,
        description="The kubeconfig, base64. Files and exec plugins are refused. Stored encrypted, never shown again.",
        json_schema_extra={"format": "byte", "writeOnly": True},
    )
    autoBootstrap: bool = Field(default=True, description="Install CRDs and operator in it.")  # noqa: N815 - the API's name
    installAdmission: bool = Field(default=True, description="Install the admission webhook too.")  # noqa: N815
    labels: dict[str, str] | None = Field(
        default=None,
        description="All of its labels, at most 64, as Kubernetes takes them. Left out: as they are, at first none.",
        examples=[{"region": "eu", "ring": "1_dev"}],
    )


class ClusterPut(ClusterInput):
    """A cluster as it shall be."""

    name: Name = Field(default="", description="Must be the cluster's name, if given.", min_length=0)


class ClusterRecord(SyncedRecord):
    """A registered cluster. Its address and credentials are not part of it."""

    id: str
    name: str
    autoBootstrap: bool = Field(validation_alias="auto_bootstrap")  # noqa: N815 - the API's name
    installAdmission: bool = Field(validation_alias="install_admission")  # noqa: N815
    labels: dict[str, str]


class Component(Record):
    """One part of the platform in a cluster, as seen just now."""

    name: str = Field(examples=["operator", "admission", "caBundle"])
    ready: bool
    detail: str


class ClusterStatus(Record):
    """A cluster as recorded and as seen just now."""

    id: str
    name: str
    state: State
    message: str
    reachable: bool
    kubernetes_version: str = Field(description="Empty when the cluster does not answer.")
    components: list[Component]


class ClusterReady(Record):
    """All parts of the platform are ready in the cluster."""

    ready: Literal[True] = True
    components: list[Component]


class TenantInput(Input):
    """A tenant to make."""

    name: Name
    cluster_id: str = Field(max_length=63, description="The cluster's id or name.")
    quotas: Quotas = Field(default_factory=Quotas)


class QuotasInput(Input):
    """The quotas as they shall be; the rest of the record never changes."""

    quotas: Quotas


class TenantRecord(SyncedRecord):
    """A tenant."""

    id: str
    name: str
    cluster_id: str
    quotas: Quotas


class ProjectInput(Input):
    """A project to make."""

    name: Name
    tenant_id: str = Field(max_length=36, description="The tenant's id.")
    namespace: str | None = Field(
        default=None, max_length=63, description="May be left out: it is `kubeop-<tenant>-<project>`."
    )
    quotas: Quotas = Field(default_factory=Quotas)


class ProjectRecord(SyncedRecord):
    """A project, one namespace of a tenant."""

    id: str
    name: str
    cluster_id: str
    tenant_id: str
    namespace: str
    quotas: Quotas


class Changed(Record):
    """What a write did."""

    changed: bool = Field(description="Whether the write changed anything; with `dryRun`, whether it would.")


class ClusterWritten(ClusterRecord, Changed):
    """A cluster after a write."""


class TenantWritten(TenantRecord, Changed):
    """A tenant after a write."""


class ProjectWritten(ProjectRecord, Changed):
    """A project after a write."""


class KmsKeyRecord(Record):
    """A KMS key, by its id; never the key."""

    id: str
    state: Literal["active", "readable", "missing", "retired"] = Field(
        description="`active` seals, `readable` opens, `missing` is used but not configured, `retired` is out of use."
    )
    data_keys: int = Field(description="How many data keys it wraps.")
    configured: bool = Field(description="Whether KUBEOP_KMS_MASTER_KEY holds it.")
    retired_at: datetime | None = None


class DataKeyRecord(Record):
    """A data key, by its id."""

    id: str
    kms_key_id: str
    records: int = Field(description="How many sealed records it opens.")
    created_at: datetime


class Keys(Record):
    """All keys that the manager knows of."""

    kms_keys: list[KmsKeyRecord]
    data_keys: list[DataKeyRecord]


class Rotated(Changed):
    """The outcome of a rotation."""

    active: str = Field(description="The KMS key that wraps every data key now.")
    rewrapped: int = Field(description="How many data keys were wrapped anew.")


class Counts(Record):
    """How many records there are, by state."""

    total: int
    states: dict[str, int]


class PlatformStatus(Record):
    """The whole platform at a glance."""

    version: str
    clusters: Counts
    tenants: Counts
    projects: Counts
    cluster: ClusterStatus | None = Field(default=None, description="With `clusterID`: that cluster, as seen just now.")


class Version(Record):
    """What is running."""

    version: str
    commit: str


class Health(Record):
    """The process lives."""

    status: Literal["ok"] = "ok"


class Check(Record):
    """One thing that the manager needs."""

    name: str
    ok: bool
    detail: str


class Readiness(Record):
    """The manager can serve."""

    status: Literal["ready"] = "ready"
    checks: list[Check]
