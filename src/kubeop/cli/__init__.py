"""The `kubeop` command, one file a group."""
