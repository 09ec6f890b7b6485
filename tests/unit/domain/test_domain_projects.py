import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeop import names
from kubeop.domain.projects import MAX_NAMESPACE, MAX_TENANT, Project, Tenant, check_name
from kubeop.domain.quotas import Quota
from kubeop.errors import InputError

LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)


@given(labels, labels)
def test_a_projects_namespace_is_a_dns_label(tenant, name):
    project = Project(tenant, name)
    assert LABEL.fullmatch(project.namespace)
    assert project.namespace == f"{names.PLATFORM}-{project.object_name}"
    assert Project.of(project.to_object()) == project


@given(st.text(max_size=70))
def test_a_name_is_a_dns_label_or_refused(text):
    if LABEL.fullmatch(text):
        assert check_name(text, "Name") == text
    else:
        with pytest.raises(InputError, match="Name is"):
            check_name(text, "Name")


def test_a_namespace_of_63_characters_fits_and_one_more_is_refused():
    longest = MAX_NAMESPACE - len("kubeop-acme-")
    assert len(Project("acme", "p" * longest).namespace) == MAX_NAMESPACE
    with pytest.raises(InputError, match="64 characters"):
        Project("acme", "p" * (longest + 1))


def test_the_longest_tenant_leaves_room_for_a_project():
    assert len(Project(Tenant("t" * MAX_TENANT).name, "p").namespace) == MAX_NAMESPACE
    with pytest.raises(InputError, match="Tenant name"):
        Tenant("t" * (MAX_TENANT + 1))


def test_a_tenant_carries_its_name_and_quota_in_its_object():
    tenant = Tenant("acme", Quota(cpu="4", memory="8Gi"))
    obj = tenant.to_object()
    assert obj["metadata"] == {"name": "acme", "labels": {names.LABEL_TENANT: "acme"}}
    assert Tenant.of(obj) == tenant


@pytest.mark.parametrize("obj", [{}, {"spec": None}, {"spec": {"tenantRef": "acme"}}, {"spec": {"name": "Shop"}}])
def test_an_object_of_no_use_is_refused(obj):
    with pytest.raises(InputError):
        Project.of(obj)


def test_no_project_gets_the_platforms_namespace():
    assert Project("a", "b").namespace != names.PLATFORM_NAMESPACE
    assert names.PLATFORM_NAMESPACE.count("-") == 1  # a project's has two or more
