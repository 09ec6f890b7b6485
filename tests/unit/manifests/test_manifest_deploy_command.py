from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from kubeop import names
from kubeop.cli.deploy import app
from kubeop.errors import InputError
from kubeop.manifests import crds

IMAGES = {
    "KUBEOP_MANAGER_IMAGE": "localhost/kubeop/controller:1",
    "KUBEOP_ADMISSION_IMAGE": "localhost/kubeop/webhook:1",
    "KUBEOP_IMAGE_ALLOWLIST": "localhost/,registry.k8s.io/",
    "KUBEOP_QUOTA_MAX_REQUESTS_CPU": "4",
}


def run(*arguments: str, env: dict[str, str] | None = None) -> str:
    result = CliRunner().invoke(app, arguments, env=IMAGES if env is None else env, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def kinds(text: str) -> list[str]:
    return [obj["kind"] for obj in yaml.safe_load_all(text)]


def test_crds_are_those_of_the_manifests():
    assert list(yaml.safe_load_all(run("generate-crds", "--version", "1"))) == crds.crds("1")


def test_all_prints_the_same_each_time_and_makes_the_certificate_once(tmp_path: Path):
    tls = tmp_path / "tls"
    first = run("generate-all", "--tls", str(tls))
    assert first == run("generate-all", "--tls", str(tls))
    assert "&id" not in first  # no YAML anchors
    found = list(yaml.safe_load_all(first))
    assert [obj["kind"] for obj in found][:4] == ["Namespace", *2 * ["CustomResourceDefinition"], "Secret"]
    (policy,) = [obj for obj in found if obj["metadata"]["name"] == names.POLICY_CONFIGMAP]
    assert policy["data"]["imageAllowlist"] == "localhost/\nregistry.k8s.io/"
    assert policy["data"]["quotaMaxRequestsCPU"] == "4"
    assert (tls / "tls.key").stat().st_mode & 0o077 == 0


def test_a_part_is_printed_alone(tmp_path: Path):
    assert "Deployment" in kinds(run("generate-operator"))
    assert "ValidatingWebhookConfiguration" in kinds(run("generate-admission", "--tls", str(tmp_path)))
    manager = kinds(run("generate-manager"))
    assert manager[-2:] == ["Job", "Deployment"]
    assert "Secret" not in manager


def test_check_tells_whether_a_file_is_what_would_be_printed(tmp_path: Path):
    file = tmp_path / "crds.yaml"
    file.write_text(run("generate-crds", "--version", "1"))
    assert run("generate-crds", "--version", "1", "--check", str(file)) == ""
    with pytest.raises(InputError, match="is not what this version prints"):
        run("generate-crds", "--version", "2", "--check", str(file))
    with pytest.raises(InputError, match="cannot be read"):
        run("generate-crds", "--check", str(tmp_path / "none.yaml"))


def test_a_missing_image_is_named():
    with pytest.raises(InputError, match="KUBEOP_OPERATOR_IMAGE"):
        run("generate-operator", env={})


def test_half_a_certificate_is_refused(tmp_path: Path):
    (tmp_path / "tls.crt").write_text("x")
    with pytest.raises(InputError, match=r"tls\.key: No such file"):
        run("generate-admission", "--tls", str(tmp_path))
