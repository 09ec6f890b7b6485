import io

import pytest

from kubeop.cli.apply import read
from kubeop.errors import InputError
from kubeop.kube import files

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
    monkeypatch.setattr("sys.stdin", io.StringIO(MANIFEST % "c"))
    found = read([str(tmp_path), str(tmp_path / "b.yaml"), "-"])
    assert [obj["metadata"]["name"] for obj in found.objects] == ["a", "s", "b", "s", "b", "s", "c", "s"]
    assert found.faults == []


def test_a_date_stays_a_text(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(MANIFEST % "a")
    assert next(files.read(path))["metadata"]["annotations"]["day"] == "2026-01-02"


def test_what_is_wrong_is_named_with_file_and_line(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text("a: 1\nb: [1\nc: 2\n")
    with pytest.raises(InputError, match=r"bad.yaml, line 3 is not YAML"):
        list(files.read(path))
    path.write_text("a: 1\n---\n- 1\n")
    with pytest.raises(InputError, match=r"Document 2 of .*bad.yaml is no object"):
        list(files.read(path))
    path.write_text("a:\n  x: 1\n  x: 2\n")
    with pytest.raises(InputError, match=r"bad.yaml, line 3 is not YAML: the key 'x' is there twice"):
        list(files.read(path))
    with pytest.raises(InputError, match="No such file"):
        list(files.read(tmp_path / "none.yaml"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no manifest in"):
        list(files.read(tmp_path / "empty"))


def test_what_can_be_read_is_read_and_each_fault_is_told(tmp_path):
    (tmp_path / "a.yaml").write_text("%YAML 1.1\n---\nname: one\n---\nb: [1\n---\n# three\nname: three\n---\n- 4\n")
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe")
    (tmp_path / "c.json").write_text('{"name": "c"}')
    found = read([str(tmp_path), str(tmp_path / "none")])
    assert [obj["name"] for obj in found.objects] == ["one", "three", "c"]
    assert [obj.where for obj in found.objects] == [
        f"document {number} of {tmp_path / name}" for number, name in ((1, "a.yaml"), (3, "a.yaml"), (1, "c.json"))
    ]
    said = [fault.message for fault in found.faults]
    assert [text.split(": ")[0] for text in said] == [
        f"{tmp_path / 'a.yaml'}, line 6 is not YAML",
        f"Document 4 of {tmp_path / 'a.yaml'} is no object.",
        f"Cannot read {tmp_path / 'b.yaml'}",
        f"Cannot read {tmp_path / 'none'}",
    ]
