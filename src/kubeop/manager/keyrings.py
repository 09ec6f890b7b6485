"""The keys that the settings hold, read before anything is started."""

from __future__ import annotations

from kubeop.crypto.keyring import Keyring
from kubeop.crypto.tokens import SigningKeys
from kubeop.errors import CryptoError
from kubeop.settings import Settings


def read(settings: Settings) -> tuple[Keyring, SigningKeys]:
    """The KMS keys and the signing keys. Raises CryptoError that names the variable which is missing or wrong."""
    for value, name in (
        (settings.kms_master_key, "KUBEOP_KMS_MASTER_KEY"),
        (settings.jwt_signing_key, "KUBEOP_JWT_SIGNING_KEY"),
    ):
        if not value:
            raise CryptoError(f"{name} is not set.", hint="`kubeop keys generate` makes a key.")
    return (
        Keyring.parse(settings.kms_master_key, source="KUBEOP_KMS_MASTER_KEY"),
        SigningKeys.parse(settings.jwt_signing_key, source="KUBEOP_JWT_SIGNING_KEY"),
    )
