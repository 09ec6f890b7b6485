"""Where a Service answers, as far as the cluster itself knows."""

from __future__ import annotations

from kubeop.kube.client import Client


def service_url(client: Client, namespace: str, name: str) -> str:
    """The URL of a Service's first port: at a load balancer, on a node, or in the cluster; empty if there is none."""
    service = client.get("v1", "Service", name, namespace)
    if service is None:
        return ""
    port = service["spec"]["ports"][0]
    scheme = "https" if port.get("name") == "https" or port["port"] == 443 else "http"
    ingress = service.get("status", {}).get("loadBalancer", {}).get("ingress") or []
    if ingress:
        return f"{scheme}://{ingress[0].get('hostname') or ingress[0]['ip']}:{port['port']}"
    if "nodePort" in port and (node := _node_address(client)):
        return f"{scheme}://{node}:{port['nodePort']}"
    return f"{scheme}://{name}.{namespace}.svc:{port['port']}"


def _node_address(client: Client) -> str:
    nodes = client.list("v1", "Node")
    found = [
        item["address"]
        for node in nodes
        for kind in ("ExternalIP", "InternalIP")
        for item in node.get("status", {}).get("addresses", [])
        if item["type"] == kind
    ]
    return found[0] if found else ""
