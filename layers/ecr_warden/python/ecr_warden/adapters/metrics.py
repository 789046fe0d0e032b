"""CloudWatch metrics, by the embedded metric format: a line of the log, no call."""


class CloudWatchMetrics:
    """Metrics in one namespace."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace

    def count(self, name: str, **dimensions: str) -> None:
        """Count one."""
        self._write(name, "Count", 1, dimensions)

    def milliseconds(self, name: str, value: float) -> None:
        """Record a time."""
        self._write(name, "Milliseconds", value, {})

    def seconds(self, name: str, value: float) -> None:
        """Record a time, in seconds."""
        self._write(name, "Seconds", value, {})

    def _write(self, name: str, unit: str, value: float, dimensions: dict[str, str]) -> None:
        # A compliant push counts nothing, so it does not import this.
        from aws_lambda_powertools.metrics import MetricUnit, single_metric  # noqa: PLC0415

        with single_metric(
            name=name,
            unit=MetricUnit(unit),
            value=value,
            namespace=self._namespace,
            default_dimensions={"service": "ecr-warden"} | dimensions,
        ):
            pass
