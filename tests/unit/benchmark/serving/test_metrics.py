"""What a replica counts, in the text that Prometheus reads."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from benchmark.serving.metrics import CONTENT_TYPE, Metrics

ONE = {"replica": "models#1"}


def filled() -> Metrics:
    metrics = Metrics("models#1")
    for seconds in (0.0005, 0.003, 0.003, 0.09, 60.0):
        metrics.answered("mlp", 200, seconds)
    metrics.answered("mlp", 400, 0.001)
    metrics.answered(None, 404, 0.001)
    metrics.computed("mlp", 3)
    return metrics


def value(text: str, name: str, **labels: str) -> float:
    """The value of the only series with this name and these labels."""
    (found,) = (
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and sample.labels == labels
    )
    return float(found)


def names(text: str) -> set[str]:
    return {s.name for family in text_string_to_metric_families(text) for s in family.samples}


def test_every_line_is_a_comment_or_a_labelled_sample() -> None:
    text = filled().text({"mlp": "0" * 64})
    assert text.endswith("\n")
    samples = [s for family in text_string_to_metric_families(text) for s in family.samples]
    lines = [line for line in text.splitlines() if not line.startswith(("# HELP ", "# TYPE "))]
    assert len(samples) == len(lines)
    assert all(s.labels["replica"] == "models#1" for s in samples)
    assert CONTENT_TYPE == "text/plain; version=0.0.4; charset=utf-8"


def test_series_have_the_names_that_dashboards_ask_for() -> None:
    assert names(filled().text({"mlp": "0" * 64})) == {
        "aidc_serve_model_info", "aidc_serve_requests_total",
        "aidc_serve_request_seconds_bucket", "aidc_serve_request_seconds_sum",
        "aidc_serve_request_seconds_count",
        "aidc_serve_batch_requests_bucket", "aidc_serve_batch_requests_sum",
        "aidc_serve_batch_requests_count",
    }  # fmt: skip


def test_answers_are_counted_by_model_and_status() -> None:
    text, name = filled().text({}), "aidc_serve_requests_total"
    assert value(text, name, **ONE, model="mlp", version="", status="200") == 5
    assert value(text, name, **ONE, model="mlp", version="", status="400") == 1
    assert value(text, name, **ONE, model="", version="", status="404") == 1


def test_buckets_are_cumulative_and_hold_every_answer_in_the_last() -> None:
    text, name = filled().text({}), "aidc_serve_request_seconds"
    counts = [
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == f"{name}_bucket" and sample.labels["model"] == "mlp"
    ]
    assert counts == sorted(counts)
    mlp = {**ONE, "model": "mlp", "version": ""}
    assert value(text, f"{name}_bucket", **mlp, le="0.001") == 1
    assert value(text, f"{name}_bucket", **mlp, le="0.005") == 3
    assert value(text, f"{name}_bucket", **mlp, le="0.1") == 4
    assert value(text, f"{name}_bucket", **mlp, le="+Inf") == counts[-1] == 5
    assert value(text, f"{name}_count", **mlp) == 5


def test_a_mistake_of_the_client_is_no_duration() -> None:
    metrics = Metrics("")
    metrics.answered("mlp", 400, 1.0)
    assert "aidc_serve_request_seconds_count" not in metrics.text({})


def test_a_model_that_was_replaced_is_not_listed_any_more() -> None:
    metrics = Metrics("models#1")
    metrics.text({"mlp": "0" * 64, "digits": "1" * 64})
    text = metrics.text({"mlp": "2" * 64})
    assert value(text, "aidc_serve_model_info", **ONE, model="mlp", sha256="2" * 64) == 1
    assert text.count("aidc_serve_model_info{") == 1


def test_two_replicas_of_one_process_count_apart() -> None:
    first, second = Metrics("one"), Metrics("two")
    first.answered("mlp", 200, 0.001)
    assert "aidc_serve_requests_total{" not in second.text({})


def test_labels_are_escaped() -> None:
    assert 'replica="a\\"b\\\\c\\n"' in Metrics('a"b\\c\n').text({"mlp": "0"})
