"""How Sphinx makes the collection's pages: offline, and with every reference checked. `make docs` runs it."""

project = "kubeop.platform"
extensions = ["sphinx.ext.intersphinx", "sphinx_antsibull_ext"]
pygments_style = "ansible"
highlight_language = "YAML+Jinja"
html_theme = "sphinx_ansible_theme"
html_show_sphinx = False
html_copy_source = False
default_role = "any"
nitpicky = True
# tools/docs.py writes the inventory beside the pages: the few labels of Ansible's own pages that ours refer to.
intersphinx_mapping = {"ansible": ("https://docs.ansible.com/ansible-core/2.19/", "ansible.inv")}
