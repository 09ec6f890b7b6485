"""Kubeconfigs at rest: sealed with a data key, the data key wrapped by a KMS key of KUBEOP_KMS_MASTER_KEY.

A KMS key is rotated by putting a new one first in the variable and rewrapping the data keys; nothing sealed is touched.
A key is retired only when nothing is wrapped by it any more, and a retired key is not used again.
"""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from kubeop.crypto import envelope
from kubeop.crypto.keyring import Keyring
from kubeop.errors import CryptoError
from kubeop.manager.problems import Problem
from kubeop.manager.schemas import DataKeyRecord, Keys, KmsKeyRecord
from kubeop.manager.storage.models import Cluster, DataKey, KmsKey, utc_now

_VARIABLE = "KUBEOP_KMS_MASTER_KEY"


class Vault:
    """Seals and opens kubeconfigs, and keeps the book of keys, always in the caller's transaction."""

    def __init__(self, keyring: Keyring) -> None:
        self.keyring = keyring

    def seal_kubeconfig(self, session: Session, cluster: Cluster, kubeconfig: bytes) -> None:
        """Put a kubeconfig into the cluster's row. Raises CryptoError when no data key can be used."""
        data_key = self._current(session)
        cluster.kubeconfig = envelope.seal(data_key, kubeconfig, _context(cluster))
        cluster.data_key_id = data_key.id

    def open_kubeconfig(self, session: Session, cluster: Cluster) -> bytes:
        """The kubeconfig of a cluster's row. Raises CryptoError that names the key which is missing or wrong."""
        row = session.get_one(DataKey, cluster.data_key_id)
        return envelope.open_(self._unwrap(row), cluster.kubeconfig, _context(cluster))

    def check(self, session: Session) -> str:
        """The state of the keys in words. Raises CryptoError for one that is missing, wrong or retired."""
        active = session.get(KmsKey, self.keyring.active_id)
        if active is not None and active.retired_at is not None:
            raise _retired(active.id)
        rows = session.scalars(select(DataKey)).all()
        for row in rows:
            self._unwrap(row)
        return f"KMS key {self.keyring.active_id} is active; {len(rows)} data keys open."

    def listing(self, session: Session) -> Keys:
        """Every key that is configured or recorded, by id."""
        used = dict(session.execute(select(DataKey.kms_key_id, func.count()).group_by(DataKey.kms_key_id)).all())
        recorded = {row.id: row for row in session.scalars(select(KmsKey))}
        sealed = dict(session.execute(select(Cluster.data_key_id, func.count()).group_by(Cluster.data_key_id)).all())
        kms_keys = []
        for key_id in sorted({*recorded, *self.keyring.ids}):
            row = recorded.get(key_id)
            kms_keys.append(
                KmsKeyRecord.model_validate(
                    {
                        "id": key_id,
                        "state": self._state(key_id, row),
                        "data_keys": used.get(key_id, 0),
                        "configured": key_id in self.keyring.ids,
                        "retired_at": row.retired_at if row else None,
                    }
                )
            )
        data_keys = [
            DataKeyRecord(
                id=row.id, kms_key_id=row.kms_key_id, records=sealed.get(row.id, 0), created_at=row.created_at
            )
            for row in session.scalars(select(DataKey).order_by(DataKey.created_at))
        ]
        return Keys(kms_keys=kms_keys, data_keys=data_keys)

    def rotate(self, session: Session) -> int:
        """Rewrap every data key that is not wrapped by the active KMS key; answers how many were."""
        self._use(session, self.keyring.active_id)
        query = select(DataKey).where(DataKey.kms_key_id != self.keyring.active_id).with_for_update()
        rows = session.scalars(query.order_by(DataKey.id)).all()
        for row in rows:
            fresh = envelope.rewrap(self.keyring, self._unwrap(row))
            row.kms_key_id, row.wrapped, row.rewrapped_at = fresh.kek_id, fresh.wrapped, utc_now()
        return len(rows)

    def retire(self, session: Session, key_id: str) -> bool:
        """Mark a KMS key as no longer used; False if it was already. A problem while something needs it."""
        row = session.get(KmsKey, key_id, with_for_update=True)
        if row is None and key_id not in self.keyring.ids:
            raise Problem(404, "not-found", f"There is no key {key_id[:63]!r}.", hint="GET /v1/keys lists them.")
        if key_id == self.keyring.active_id:
            raise Problem(
                409,
                "key-in-use",
                f"The key {key_id} is the active one.",
                hint=f"Put another key first in {_VARIABLE}, restart the manager and rotate.",
            )
        used = session.scalar(select(func.count()).select_from(DataKey).where(DataKey.kms_key_id == key_id)) or 0
        if used:
            raise Problem(
                409,
                "key-in-use",
                f"The key {key_id} still wraps {used} data key{'s' if used > 1 else ''}.",
                hint="POST /v1/keys/rotate first.",
            )
        if row is None:
            row = KmsKey(id=key_id)
            session.add(row)
        if row.retired_at is not None:
            return False
        row.retired_at = utc_now()
        return True

    def _state(self, key_id: str, row: KmsKey | None) -> str:
        if row is not None and row.retired_at is not None:
            return "retired"
        if key_id == self.keyring.active_id:
            return "active"
        return "readable" if key_id in self.keyring.ids else "missing"

    def _current(self, session: Session) -> envelope.DataKey:
        row = session.scalars(select(DataKey).order_by(DataKey.created_at.desc(), DataKey.id).limit(1)).first()
        if row is not None:
            return self._unwrap(row)
        self._use(session, self.keyring.active_id)
        data_key = envelope.new_data_key(self.keyring)
        session.add(DataKey(id=data_key.id, kms_key_id=data_key.kek_id, wrapped=data_key.wrapped))
        session.flush()
        return data_key

    def _use(self, session: Session, key_id: str) -> None:
        """Record a KMS key and hold its row, so that nobody retires it before this transaction ends."""
        try:
            with session.begin_nested():
                if session.get(KmsKey, key_id) is None:
                    session.add(KmsKey(id=key_id))
        except IntegrityError:
            session.expire_all()  # another replica was first
        row = session.get_one(KmsKey, key_id, with_for_update={"read": True}, populate_existing=True)
        if row.retired_at is not None:
            raise _retired(key_id)

    def _unwrap(self, row: DataKey) -> envelope.DataKey:
        return envelope.unwrap(self.keyring, id=row.id, kek_id=row.kms_key_id, wrapped=row.wrapped)


def _context(cluster: Cluster) -> envelope.Context:
    return envelope.Context(
        cluster=cluster.name, field="kubeconfig", record=cluster.id, version=cluster.kubeconfig_version
    )


def _retired(key_id: str) -> CryptoError:
    return CryptoError(f"The active KMS key {key_id} is retired.", hint=f"Put another key first in {_VARIABLE}.")
