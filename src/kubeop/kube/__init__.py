"""One Kubernetes cluster: access, client, apply, wait, quantities."""
