import io

import pytest

from kubeop.cli.apply import read
from kubeop.errors import InputError

MANIFEST = """
apiVersion: v1
kind: ConfigMap
metadata: {name: %s, annotations: {day: 2026-01-02}}
---
---
{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
"""


def test_files_folders_and_standard_input_are_read(tmp_path, monkeypatch):
    (tmp_path / "b.yaml").write_text(MANIFEST % "b")
    (tmp_path / "a.yml").write_text(MANIFEST % "a")
    (tmp_path / "notes.txt").write_text("not: read")
    assert [obj["metadata"]["name"] for obj in read(str(tmp_path))] == ["a", "s", "b", "s"]
    assert len(list(read(str(tmp_path / "b.yaml")))) == 2
    monkeypatch.setattr("sys.stdin", io.StringIO(MANIFEST % "c"))
    assert next(read("-"))["metadata"]["name"] == "c"


def test_a_date_stays_a_text(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(MANIFEST % "a")
    assert next(read(str(path)))["metadata"]["annotations"]["day"] == "2026-01-02"


def test_what_is_wrong_is_named_with_file_and_line(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text("a: 1\nb: [1\nc: 2\n")
    with pytest.raises(InputError, match=r"bad.yaml, line 3 is not YAML"):
        list(read(str(path)))
    path.write_text("a: 1\n---\n- 1\n")
    with pytest.raises(InputError, match=r"Document 2 of .*bad.yaml is no object"):
        list(read(str(path)))
    with pytest.raises(InputError, match="No such file"):
        list(read(str(tmp_path / "none.yaml")))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no manifest in"):
        list(read(str(tmp_path / "empty")))
