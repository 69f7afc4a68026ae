import dataclasses

import pytest

from leeward.app.settings import Settings, SettingsError, parse_settings

REQUIRED = {
    "LEEWARD_NAMESPACE": "leeward-system",
    "LEEWARD_POD_NAME": "operator-1",
    "LEEWARD_MASKING_IMAGE": "registry.example/leeward-masking:1",
}


def test_three_settings_are_required_and_the_rest_have_defaults() -> None:
    settings = parse_settings([], REQUIRED)
    assert settings.namespace == "leeward-system"
    assert settings.metrics_port == 9090
    assert settings.probe_port == 8081
    assert settings.watch_namespaces == ()
    assert settings.kubeconfig is None
    assert settings.masking_models_image is None
    for name in REQUIRED:
        rest = {other: value for other, value in REQUIRED.items() if other != name}
        with pytest.raises(SettingsError, match=name):
            parse_settings([], rest)


def test_a_flag_wins_over_the_environment() -> None:
    environment = {**REQUIRED, "LEEWARD_MAX_REQUESTS": "50"}
    assert parse_settings([], environment).max_requests == 50
    assert parse_settings(["--max-requests", "70"], environment).max_requests == 70
    assert parse_settings(["--max-requests=70"], environment).max_requests == 70


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("NAMESPACE", "Not A Label", "DNS label"),
        ("POD_NAME", "", "empty"),
        ("IMAGE_PULL_POLICY", "Sometimes", "Always, IfNotPresent, Never"),
        ("WORKERS", "0", "from 1 to 256"),
        ("WORKERS", "4.5", "whole number"),
        ("WORKERS", "-3", "whole number"),
        ("WORKERS", "٣", "whole number"),
        ("RESYNC", "1", "from 60"),
        ("RESYNC", "nan", "from 60"),
        ("METRICS_PORT", "70000", "65535"),
        ("OPERATOR_POD_LABELS", "a", "name=value"),
        ("OPERATOR_POD_LABELS", "=b", "name=value"),
        ("LOG_LEVEL", "loud", "debug, info"),
        ("TRANSIT_ADDRESSES", "http://bao:8200", "https://host"),
        ("TRANSIT_ADDRESSES", "https://bao:8200,https://bao/v1", "https://host"),
        ("TRANSIT_TOKEN", "", "empty"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_name(name: str, value: str, what: str) -> None:
    with pytest.raises(SettingsError, match=what) as refused:
        parse_settings([], {**REQUIRED, f"LEEWARD_{name}": value})
    assert f"LEEWARD_{name}" in str(refused.value)
    assert f"--{name.lower().replace('_', '-')}" in str(refused.value)


def test_lease_times_that_would_let_two_lead_are_refused() -> None:
    with pytest.raises(SettingsError, match="--lease-retry"):
        parse_settings([], {**REQUIRED, "LEEWARD_LEASE_DURATION": "10"})


def test_lists_and_labels_are_read() -> None:
    lists = ["--watch-namespaces", "a, b", "--operator-pod-labels", "x=1,y=2"]
    lists += ["--transit-addresses", "https://bao:8200/, https://[::1]"]
    settings = parse_settings(lists, REQUIRED)
    assert settings.transit_addresses == ("https://bao:8200", "https://[::1]")
    assert settings.watch_namespaces == ("a", "b")
    assert settings.operator_pod_labels == {"x": "1", "y": "2"}


def test_every_setting_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_settings(["--help"], REQUIRED)
    shown = capsys.readouterr().out
    for field in dataclasses.fields(Settings):
        assert f"--{field.name.replace('_', '-')}" in shown
        assert f"LEEWARD_{field.name.upper()}" in shown
