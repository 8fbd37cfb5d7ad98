"""What a replica counts, in the text that Prometheus reads."""

from __future__ import annotations

import re

from benchmark.serving.metrics import Metrics

LINE = re.compile(r'^[a-z_]+\{([a-z0-9_]+="(?:[^"\\\n]|\\.)*",?)+\} [0-9.e+-]+$')


def filled() -> Metrics:
    metrics = Metrics("models#1")
    for seconds in (0.0005, 0.003, 0.003, 0.09, 60.0):
        metrics.answered("mlp", 200, seconds)
    metrics.answered("mlp", 400, 0.001)
    metrics.answered(None, 404, 0.001)
    metrics.computed("mlp", 3)
    return metrics


def value(text: str, series: str) -> float:
    (found,) = (line for line in text.splitlines() if line.startswith(series + " "))
    return float(found.rpartition(" ")[2])


def test_every_line_is_a_comment_or_a_labelled_sample() -> None:
    text = filled().text({"mlp": "0" * 64})
    assert text.endswith("\n")
    for line in text.splitlines():
        assert line.startswith(("# HELP ", "# TYPE ")) or LINE.match(line), line


def test_answers_are_counted_by_model_and_status() -> None:
    text = filled().text({})
    name = 'aidc_serve_requests_total{replica="models#1",model='
    assert value(text, name + '"mlp",status="200"}') == 5
    assert value(text, name + '"mlp",status="400"}') == 1
    assert value(text, name + '"",status="404"}') == 1


def test_buckets_are_cumulative_and_hold_every_answer_in_the_last() -> None:
    text = filled().text({})
    name = 'aidc_serve_request_seconds_bucket{replica="models#1",model="mlp",le='
    counts = [int(c) for c in re.findall(re.escape(name) + r'"[^"]+"\} (\d+)', text)]
    assert counts == sorted(counts)
    assert value(text, name + '"0.001"}') == 1
    assert value(text, name + '"0.005"}') == 3
    assert value(text, name + '"0.1"}') == 4
    assert value(text, name + '"+Inf"}') == counts[-1] == 5
    assert value(text, 'aidc_serve_request_seconds_count{replica="models#1",model="mlp"}') == 5


def test_a_mistake_of_the_client_is_no_duration() -> None:
    metrics = Metrics("")
    metrics.answered("mlp", 400, 1.0)
    assert "aidc_serve_request_seconds_count" not in metrics.text({})


def test_labels_are_escaped() -> None:
    assert 'replica="a\\"b\\\\c\\n"' in Metrics('a"b\\c\n').text({"mlp": "0"})
