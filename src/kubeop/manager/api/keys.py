"""`/v1/keys`: the KMS keys that the manager knows, rewrapping the data keys, and taking a key out of use."""

from __future__ import annotations

from fastapi import APIRouter

from kubeop.manager import audit
from kubeop.manager.api import Parts
from kubeop.manager.auth import Admin
from kubeop.manager.problems import responses
from kubeop.manager.schemas import Changed, Keys, Rotated

router = APIRouter(prefix="/v1/keys", tags=["keys"], responses=responses(401, 403, 503))


@router.get("", summary="List keys")
def list_keys(services: Parts, _caller: Admin) -> Keys:
    """KMS keys and data keys by id, and how much depends on each. Never a key itself."""
    with services.database.transaction() as session:
        return services.vault.listing(session)


@router.post("/rotate", summary="Wrap every data key with the active KMS key")
def rotate(services: Parts, caller: Admin) -> Rotated:
    """After a new key was put first in KUBEOP_KMS_MASTER_KEY: what is stored stays readable, and the key before it is
    no longer needed. May be repeated.
    """
    active = services.vault.keyring.active_id
    trail = audit.Trail(caller, "rotate", "key", active)
    with audit.refusals(services.database, trail), services.database.transaction() as session:
        count = services.vault.rotate(session)
        audit.record(session, trail, active, changed=count > 0, rewrapped=count)
        return Rotated(active=active, rewrapped=count, changed=count > 0)


@router.post("/{key_id}/retire", summary="Take a KMS key out of use", responses=responses(404, 409))
def retire(services: Parts, caller: Admin, key_id: str) -> Changed:
    """Record that a key is no longer used, so that it may leave KUBEOP_KMS_MASTER_KEY. 409 while something needs it.

    Tokens sealed outside the manager, such as those in an inventory, are not known here: rewrap them first.
    """
    trail = audit.Trail(caller, "retire", "key", key_id)
    with audit.refusals(services.database, trail), services.database.transaction() as session:
        changed = services.vault.retire(session, key_id)
        audit.record(session, trail, key_id, changed=changed)
        return Changed(changed=changed)
