"""How property tests run: without deadlines, for a busy machine is no defect, and with the failing example printed."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("kubeop", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("kubeop")
