import pytest

from kubeop.domain.labels import MAX_LABELS, check_labels
from kubeop.errors import InputError


@pytest.mark.parametrize(
    "labels",
    [
        {},
        {"region": "eu", "ring": "1_dev", "a": ""},
        {"topology.kubernetes.io/zone": "eu-1.A"},
        {"k" * 63: "v" * 63, "a." * 126 + "a/k": "x"},
        {f"k{number}": "v" for number in range(MAX_LABELS)},
    ],
)
def test_what_kubernetes_takes_is_taken(labels):
    assert check_labels(labels) == labels


@pytest.mark.parametrize(
    "key", ["", "-a", "a-", "a b", "k" * 64, "é", "/a", "a/", "a/b/c", "A.io/b", "a..b/c", "a" * 254 + "/b", "a\n"]
)
def test_a_bad_key_is_named(key):
    with pytest.raises(InputError, match=r"The label key .* cannot be used"):
        check_labels({key: "x"})


@pytest.mark.parametrize("value", ["-a", "a-", "a b", "v" * 64, "é", "a/b", "a\n"])
def test_a_bad_value_is_named_by_its_key_only(value):
    with pytest.raises(InputError) as refused:
        check_labels({"ring": value})
    assert refused.value.message == "The value of the label ring cannot be used."


def test_too_many_are_refused():
    with pytest.raises(InputError, match="65 labels are too many"):
        check_labels({f"k{number}": "v" for number in range(MAX_LABELS + 1)})
