import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeop.kube.wire import encoded


@given(st.text())
def test_every_text_comes_back_and_no_surrogate_is_left(text):
    assert json.loads(encoded({"a": text})) == {"a": text}
    assert not any("\\ud" in part for part in encoded({"a": text.replace("\\", "")}).decode().split("\\\\"))


def test_what_json_cannot_say_is_refused():
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="JSON"):
            encoded({"a": value})
