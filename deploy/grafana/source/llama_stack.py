"""Llama Stack and OGX: what the panels that they ship show, over the exporter's page.

HTTP metrics have the names of either generation of the HTTP conventions, which a server sends or sends
both (`OTEL_SEMCONV_STABILITY_OPT_IN`); the server's own metrics begin with llama_stack or, since 0.8, ogx.
"""

from model import (choice_variable, dashboard, datasource_variable, query, stat, steps, table, timeseries)
from promql import NAMESPACES, either, or_zero, quantile, series, total

# What a server is known by, whether the scrape honours labels or not.
SERVER = "job, instance, exported_job, exported_instance"
HTTP = ("http_server_duration_milliseconds", "http_server_request_duration_seconds")
REQUEST_BODY = ("http_server_request_size_bytes", "http_server_request_body_size_bytes")
RESPONSE_BODY = ("http_server_response_size_bytes", "http_server_response_body_size_bytes")


def per_server(expressions):
    """The first of the expressions that a server has anything in: one that sends both counts once."""
    return "sum(%s)" % " or ".join(total(SERVER, expression) for expression in expressions)


def http(names, part, *matchers):
    return per_server([either("rate", [f"{name}_{part}"], *matchers) for name in names])


def own(name, *matchers, window="$__rate_interval"):
    return either("rate", [f"llama_stack_{name}", f"ogx_{name}"], *matchers, window=window)


def shown(name, *matchers):
    """The present values of one of the server's own metrics."""
    return series(f"(llama_stack|ogx)_{name}", *matchers)


def own_quantiles(name, *matchers):
    return [query(quantile(share, "", own(f"{name}_bucket", *matchers)), legend)
            for share, legend in [("0.50", "p50"), ("0.95", "p95"), ("0.99", "p99")]]


def own_by(label, name, *matchers):
    return [query(or_zero(total(label, own(name, *matchers)), label), " ".join("{{%s}}" % part for part in label.split(", ")))]


def tokens(direction):
    """Since the start of what counts them, under either target's name."""
    return ("{__name__=~\"${namespace}gen_ai_client_token_usage_sum\", gen_ai_token_type=\"%s\"} or "
            "{__name__=~\"${namespace}gen_ai_client_inference_operation_%s_tokens_sum\"}" % (direction, direction))


def token_rate(direction):
    return either("rate", [("gen_ai_client_token_usage_sum", f'gen_ai_token_type="{direction}"'),
                           f"gen_ai_client_inference_operation_{direction}_tokens_sum"])


MODEL = "gen_ai_request_model"
COUNTS = [series(f"{name}_count") for name in HTTP]
SERVER_ERRORS = ['http_status_code=~"5.."', 'http_response_status_code=~"5.."']

OVERVIEW = [
    stat("HTTP requests", "short", per_server(COUNTS), "Since the servers started.", decimals=0),
    stat("Active requests", "short", total("", series("http_server_active_requests")), decimals=0),
    stat("HTTP 5xx", "short",
         or_zero(per_server([series(f"{name}_count", error) for name, error in zip(HTTP, SERVER_ERRORS)])),
         "Since the servers started.", decimals=0, thresholds=steps((1, "red"))),
    stat("Prompt tokens", "short", total("", tokens("input")), "Since the count began.", decimals=1),
    stat("Completion tokens", "short", total("", tokens("output")), "Since the count began.", decimals=1),
    stat("Inference p95", "s", quantile("0.95", "", own("inference_duration_seconds_bucket")),
         "As the server measures it; since 0.7."),
]

TOKENS = [
    timeseries("Prompt tokens", "short", [query(total(MODEL, tokens("input")), "{{%s}}" % MODEL)],
               "Since the count began, by model."),
    timeseries("Completion tokens", "short", [query(total(MODEL, tokens("output")), "{{%s}}" % MODEL)],
               "Since the count began, by model."),
    timeseries("Prompt tokens a second", "short", [query(total(MODEL, token_rate("input")), "{{%s}}" % MODEL)],
               stack=True),
    timeseries("Completion tokens a second", "short", [query(total(MODEL, token_rate("output")), "{{%s}}" % MODEL)],
               stack=True),
]

HTTP_PANELS = [
    timeseries("HTTP request duration", "s", [
        query(quantile(share, "", either("rate", [f"{HTTP[0]}_bucket"])) + " / 1000", f"p{share[2:]}")
        for share in ["0.95", "0.99"]
    ] + [
        query(quantile(share, "", either("rate", [f"{HTTP[1]}_bucket"])), f"p{share[2:]} http.server.request.duration")
        for share in ["0.95", "0.99"]
    ], "p95 and p99. Servers with current HTTP conventions send http.server.request.duration."),
    timeseries("HTTP request rate", "reqps", [
        query(http(HTTP, "count"), "requests"),
        query(or_zero(per_server([either("rate", [f"{name}_count"], error)
                                  for name, error in zip(HTTP, SERVER_ERRORS)])), "5xx"),
    ]),
    timeseries("Body sizes", "Bps", [
        query(http(REQUEST_BODY, "sum"), "requests"),
        query(http(RESPONSE_BODY, "sum"), "responses"),
    ]),
    timeseries("Active requests", "short", [query(total("", series("http_server_active_requests")), "active")]),
]

API = [
    timeseries("Requests by API", "reqps", own_by("api", "requests_total")),
    timeseries("Errors by method", "reqps", own_by("api, method", "requests_total", 'status="error"')),
    timeseries("Latency p95 by method", "s", [
        query(quantile("0.95", "api, method", own("request_duration_seconds_bucket")), "{{api}} {{method}}")]),
    timeseries("Concurrent requests by API", "short", [
        query(total("api", shown("concurrent_requests")), "{{api}}")]),
]

STREAMED = 'stream="true"'
INFERENCE = [
    timeseries("Inference duration", "s", own_quantiles("inference_duration_seconds"), width=8),
    timeseries("Time to first token", "s", own_quantiles("inference_time_to_first_token_seconds", STREAMED), width=8),
    timeseries("Tokens a second of one answer", "short", own_quantiles("inference_tokens_per_second"), width=8),
    timeseries("Inference duration p95 by model", "s", [
        query(quantile("0.95", "model", own("inference_duration_seconds_bucket")), "{{model}}")], width=8),
    timeseries("Inference duration p95 by provider", "s", [
        query(quantile("0.95", "provider", own("inference_duration_seconds_bucket")), "{{provider}}")], width=8),
    timeseries("Inferences by status", "reqps", own_by("status", "inference_duration_seconds_count"), width=8),
    table("Inferences since the start", [
        ("Inferences", "short", total("model, provider, stream, status", shown("inference_duration_seconds_count"))),
    ], [("model", "Model"), ("provider", "Provider"), ("stream", "Streamed"), ("status", "Status")], width=24, height=6),
]

ACTIVITY = 'operation=~"guardrail|execute_tool|retrieval|invoke_agent"'
TOOLS = [
    timeseries("Shields, tools and retrieval, as traced", "short", [
        query(or_zero(f"sum by (operation) (dragoman_genai_operations_total{{{ACTIVITY}}})", "operation"), "{{operation}}")],
        "Spans since the start, of any service, from Dragoman's own page: servers before 0.8 have no metric for it."
        " guardrail is a shield."),
    timeseries("Tool invocations", "reqps", own_by("tool_name", "tool_runtime_invocations_total"), "Since OGX 0.8."),
    timeseries("Tool latency p95", "s", [
        query(or_zero(quantile("0.95", "tool_name", own("tool_runtime_duration_seconds_bucket")), "tool_name"), "{{tool_name}}")],
        "Since OGX 0.8."),
    timeseries("Tool errors by provider", "reqps",
               own_by("provider", "tool_runtime_invocations_total", 'status="error"'), "Since OGX 0.8."),
]

VECTORS = [
    timeseries("Vector operations", "ops", [
        query(or_zero(total("", own(f"vector_io_{operation}_total"))), operation)
        for operation in ["inserts", "queries", "deletes"]], "Since OGX 0.8.", width=8),
    timeseries("Vector latency p95", "s", [
        query(or_zero(quantile("0.95", "", own("vector_io_retrieval_duration_seconds_bucket"))), "retrieval"),
        query(or_zero(quantile("0.95", "", own("vector_io_insert_duration_seconds_bucket"))), "insert"),
    ], "Since OGX 0.8.", width=8),
    timeseries("Parameters of the Responses API", "reqps",
               own_by("parameter", "responses_parameter_usage_total"), "Since 0.7.", width=8),
]


def build():
    variables = [datasource_variable(), choice_variable("namespace", "Namespace", NAMESPACES, "llama_stack")]
    return dashboard(
        "dragoman-llama-stack", "Llama Stack",
        "A Llama Stack or OGX server behind Dragoman. The namespace is the `namespace` of Dragoman's prometheus"
        " exporter.",
        variables,
        [("Overview", OVERVIEW), ("Tokens", TOKENS), ("HTTP", HTTP_PANELS), ("API", API), ("Inference", INFERENCE),
         ("Shields and tools", TOOLS), ("Vector stores and responses", VECTORS)],
    )
