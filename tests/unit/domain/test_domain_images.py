import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeop.domain import images
from kubeop.domain.images import ImageReference
from kubeop.errors import InputError

DIGEST = "sha256:" + "0a" * 32
hosts = st.sampled_from(["docker.io", "ghcr.io", "localhost", "localhost:5000", "registry:5000", "10.0.0.1:5000"])
components = st.from_regex(r"[a-z0-9]{1,6}([._-][a-z0-9]{1,6})?", fullmatch=True)
paths = st.lists(components, min_size=2, max_size=4).map("/".join)
tags = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)


@given(hosts, paths, st.none() | tags, st.booleans())
def test_a_full_reference_survives_being_written_and_read(host, path, tag, pinned):
    text = f"{host}/{path}" + (f":{tag}" if tag else "") + (f"@{DIGEST}" if pinned else "")
    image = images.parse(text)
    assert image.name == f"{host}/{path}"
    assert images.parse(str(image)) == image
    assert image.tag == (tag or ("" if pinned else "latest"))


@given(hosts, paths, tags)
def test_an_image_is_allowed_by_its_registry_its_folders_and_itself(host, path, tag):
    reference = f"{host}/{path}:{tag}"
    folder = path.rpartition("/")[0]
    for entry in (f"{host}/", f"{host}/{folder}/", f"{host}/{path}", reference):
        assert images.allowed(reference, [entry]), entry
    assert not images.allowed(reference, [f"{host}/{path}-other/", "registry.example/"])


@given(hosts, paths)
def test_a_longer_name_is_not_under_a_shorter_one(host, path):
    assert not images.allowed(f"{host}/{path}-evil/app:1", [f"{host}/{path}", f"{host}/{path}/"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nginx", ImageReference("docker.io", "library/nginx", "latest")),
        ("acme/app:1", ImageReference("docker.io", "acme/app", "1")),
        ("index.docker.io/nginx", ImageReference("docker.io", "library/nginx", "latest")),
        ("Registry.Example/app", ImageReference("registry.example", "app", "latest")),
        ("localhost/app", ImageReference("localhost", "app", "latest")),
        ("[::1]:5000/app:2", ImageReference("[::1]:5000", "app", "2")),
        (f"registry.k8s.io/pause:3@{DIGEST}", ImageReference("registry.k8s.io", "pause", "3", DIGEST)),
    ],
)
def test_short_spellings_mean_what_a_runtime_makes_of_them(text, expected):
    assert images.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "a b",
        "nginx:",
        "nginx@",
        "NGINX",
        "x//y",
        "/x",
        "x/",
        "a/b@sha256:12",
        "ghcr.io/",
        "http://ghcr.io/a",
        ":1",
    ],
)
def test_what_no_runtime_takes_is_refused(text):
    with pytest.raises(InputError, match="is not an image reference"):
        images.parse(text)


@pytest.mark.parametrize(
    ("reference", "entry", "expected"),
    [
        ("nginx", "nginx", True),
        ("nginx:1", "nginx:1", True),
        ("nginx:2", "nginx:1", False),
        ("acme/app", "acme/", True),
        ("acme-evil/app", "acme/", False),
        ("docker.io/evil/x:1", "localhost/", False),
        ("localhost.evil.example/x", "localhost/", False),
        ("localhost:5000/x", "localhost/", False),
        (f"ghcr.io/a/b:1@{DIGEST}", f"ghcr.io/a/b@{DIGEST}", True),
        ("ghcr.io/a/b:1", f"ghcr.io/a/b@{DIGEST}", False),
        ("ghcr.io.evil.example/a", "ghcr.io", False),
        ("ghcr.io/a@" + DIGEST, "ghcr.io/a:1", False),
    ],
)
def test_entries_match_whole_components(reference, entry, expected):
    assert images.allowed(reference, [entry]) is expected


def test_an_empty_list_restricts_nothing():
    assert images.allowed("docker.io/evil/x:1", [])


def test_a_bad_entry_is_named():
    with pytest.raises(InputError, match=r"'\*'.*empty list allows all"):
        images.parse_allowlist(["ghcr.io/", "*"])
    with pytest.raises(InputError, match=r"'bad_host\.example'"):
        images.parse_allowlist(["bad_host.example"])
