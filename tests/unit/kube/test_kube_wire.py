import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kubeop.kube.wire import encoded


@given(st.text())
@example("\ud000")  # Hangul, just below the surrogates: \\ud000 is a character of its own
def test_every_text_comes_back_and_no_surrogate_is_left(text):
    assert json.loads(encoded({"a": text})) == {"a": text}
    assert not re.search(r"\\ud[89a-f]", encoded({"a": text.replace("\\", "")}).decode())


def test_what_json_cannot_say_is_refused():
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="JSON"):
            encoded({"a": value})
