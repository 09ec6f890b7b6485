import pytest

from kubeop.errors import ApiError, ApplyConflict
from kubeop.kube.status import to_error


def failure(status, reason="", message="", causes=None):
    body = {"kind": "Status", "reason": reason, "message": message, "details": {"causes": causes or []}}
    return to_error(status, body, "ConfigMap a in namespace b", "apply", "host:6443")


def test_a_conflict_names_fields_and_the_other_managers():
    causes = [
        {"reason": "FieldManagerConflict", "message": 'conflict with "kubectl" using v1', "field": ".data.x"},
        {"reason": "FieldManagerConflict", "message": 'conflict with "kubectl" using v1', "field": ".data.y"},
        {"reason": "FieldManagerConflict", "message": 'conflict with "helm"', "field": ".data.z"},
    ]
    error = failure(409, "Conflict", "Apply failed with 3 conflicts", causes)
    assert isinstance(error, ApplyConflict)
    assert 'fields .data.x, .data.y of field manager "kubectl" and over field .data.z of field manager "helm"' in str(
        error
    )
    assert error.hint


def test_an_invalid_field_is_named_and_a_long_value_left_out():
    value = '{"env":[{"name":"PASSWORD","value":"s3cret"}],"more":"' + "x" * 5000 + '"}'
    causes = [{"field": "spec.template", "message": f"Invalid value: {value}: field is immutable"}]
    error = failure(422, "Invalid", f"is invalid: spec.template: {value}: field is immutable", causes)
    assert "spec.template: field is immutable." in str(error)
    assert "s3cret" not in str(error)
    assert "delete the object" in error.hint


@pytest.mark.parametrize(
    ("status", "reason", "message", "hint"),
    [
        (401, "Unauthorized", "Unauthorized", "log in again"),
        (403, "Forbidden", 'configmaps "a" is forbidden: User "x" cannot patch resource "configmaps"', "Role"),
        (403, "Forbidden", 'roles "a" is forbidden: user "x" RBAC permissions not currently held', "Who grants"),
        (403, "Forbidden", 'pods "p" is forbidden: exceeded quota: q', "ResourceQuota"),
        (403, "Forbidden", 'pods "p" is forbidden: failed quota: q: must specify limits.cpu', "every container"),
        (403, "Forbidden", 'pods "p" is forbidden: violates PodSecurity "restricted:latest"', "Pod Security"),
        (403, "Forbidden", 'pods "p" is forbidden: maximum cpu usage per Container is 1, but limit is 2', "LimitRange"),
        (403, "Forbidden", "pods \"p\" is forbidden: ValidatingAdmissionPolicy 'x' denied request: no", "policy"),
        (403, "Forbidden", 'admission webhook "x" denied the request: no', "webhook asks"),
        (403, "Forbidden", 'pods "p" is forbidden: no PriorityClass with name y was found', "admission"),
        (500, "InternalError", 'failed calling webhook "x": connection refused', "must answer"),
        (500, "", "etcdserver: request is too large", "split"),
        (404, "NotFound", 'namespaces "b" not found', "Create the namespace"),
        (400, "BadRequest", 'admission webhook "x" denied the request: no', "webhook"),
        (413, "RequestEntityTooLarge", "too large", "split"),
        (503, "ServiceUnavailable", "starting", "try again"),
    ],
)
def test_a_hint_says_what_to_do(status, reason, message, hint):
    error = failure(status, reason, message)
    assert isinstance(error, ApiError)
    assert (error.status, error.reason) == (status, reason)
    assert hint in error.hint
    assert "ConfigMap a in namespace b cannot be applied at host:6443" in str(error)


def test_a_namespace_that_goes_away_is_to_be_waited_for():
    causes = [{"reason": "NamespaceTerminating", "message": "being terminated"}]
    assert "Wait until the namespace is gone" in failure(403, "Forbidden", "unable to create", causes).hint


def test_what_is_said_twice_is_said_once():
    error = failure(403, "Forbidden", 'pods "p" is forbidden: exceeded quota: q')
    assert error.message == "ConfigMap a in namespace b cannot be applied at host:6443: exceeded quota: q."
    error = failure(403, "Forbidden", 'pods "p" is forbidden: User "x" cannot patch resource "pods"')
    assert 'pods "p" is forbidden: User "x" cannot patch' in error.message


def test_a_value_of_the_wrong_type_may_be_a_secret_and_is_left_out():
    said = "failed to create typed patch object (b/a; /v1, Kind=Secret): .data.password: expected string, got %s"
    for value in ("&value.valueUnstructured{Value:12345678}", "&{12345678}", "&{[12345678]}"):
        error = failure(500, "", said % value)
        assert error.message.endswith(": .data.password: expected string, got another type.")
        assert "quotes" in error.hint
