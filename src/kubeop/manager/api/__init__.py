"""The handlers, one file a resource. A handler reads the request, calls one function, and answers."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from kubeop.manager.services import Services


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


Parts = Annotated[Services, Depends(_services)]
