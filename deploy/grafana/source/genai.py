"""LLM calls: requests, errors, latency, tokens. Metrics of either target; see docs/metrics.md."""

from model import (choice_variable, dashboard, datasource_variable, heatmap, label_variable, query, stat, steps, table,
                   timeseries)
from promql import NAMESPACES, either, or_zero, quantile, total

OF = ('service_name=~"$service"', 'gen_ai_request_model=~"$model"')

# The name under 1.41, then the one under main.
DURATION = ("gen_ai_client_operation_duration_seconds", "gen_ai_client_inference_duration_seconds")
FIRST_CHUNK = ("gen_ai_client_operation_time_to_first_chunk_seconds",
               "gen_ai_client_inference_time_to_first_chunk_seconds")


def calls(*more, window="$__rate_interval", function="rate"):
    return either(function, [f"{name}_count" for name in DURATION], *OF, *more, window=window)


def buckets(names):
    return either("rate", [f"{name}_bucket" for name in names], *OF)


def tokens(direction, part="sum", *more, window="$__rate_interval", function="rate"):
    names = [(f"gen_ai_client_token_usage_{part}", f'gen_ai_token_type="{direction}"'),
             f"gen_ai_client_inference_operation_{direction}_tokens_{part}"]
    return either(function, names, *OF, *more, window=window)


# Applications whose own histograms have an SDK's default bounds would blur the bands: their buckets stay
# out, and so does +Inf, in which they are too.
CONVENTION = 'le!~"(0|5|10|25|50|75|100|250|500|750|1000|2500|5000|7500|10000)([.]0)?|[+]Inf"'


def sizes(direction):
    return total("le", tokens(direction, "bucket", CONVENTION, function="increase"))


def share_of(direction, part):
    """Tokens of a part of a direction, which only `main` has metrics for."""
    name = f"gen_ai_client_inference_usage_{part}_{direction}_tokens_total"
    return or_zero(total("", either("rate", [name], *OF)))


def whole(expression):
    return total("", expression)


def in_range(expression_of, *arguments):
    return whole(expression_of(*arguments, window="$__range", function="increase"))


FAILED = 'error_type!=""'
ERROR_SHARE = f"({or_zero(whole(calls(FAILED)))}) / {whole(calls())}"
MODEL, SERVICE = "gen_ai_request_model", "service_name"


def quantiles(names):
    return [query(quantile(share, "", buckets(names)), legend, exemplar=True)
            for share, legend in [("0.50", "p50"), ("0.95", "p95"), ("0.99", "p99")]]


def by(label, expression):
    return [query(total(label, expression), "{{%s}}" % label)]


OVERVIEW = [
    stat("Requests", "short", in_range(calls), "Model calls that ended in the time range.", decimals=0),
    stat("Failed", "percentunit",
         f"({or_zero(in_range(calls, FAILED))}) / {in_range(calls)}",
         "Share of the calls in the time range that ended with an error.", decimals=1,
         thresholds=steps((0.01, "orange"), (0.05, "red"))),
    stat("Latency p95", "s", quantile("0.95", "", buckets(DURATION)), "Of all calls, to the end of the answer."),
    stat("First chunk p95", "s", quantile("0.95", "", buckets(FIRST_CHUNK)),
         "Of streamed calls that say it."),
    stat("Input tokens", "short", in_range(tokens, "input"),
         "As the provider counted them, cached ones included, in the time range. Each call once.", decimals=1),
    stat("Output tokens", "short", in_range(tokens, "output"),
         "As the provider counted them, reasoning included, in the time range. Each call once.", decimals=1),
]

REQUESTS = [
    timeseries("Requests by model", "reqps", by(MODEL, calls())),
    timeseries("Requests by operation", "reqps", by("gen_ai_operation_name", calls())),
    timeseries("Errors by type", "reqps",
               [query(or_zero(total("error_type", calls(FAILED)), "error_type"), "{{error_type}}")],
               "error.type of failed calls."),
    timeseries("Share of failed requests by service", "percentunit",
               [query(f"({total(SERVICE, calls(FAILED))} or 0 * {total(SERVICE, calls())})"
                      f" / {total(SERVICE, calls())}", "{{%s}}" % SERVICE)], maximum=1),
]

LATENCY = [
    timeseries("Latency", "s", quantiles(DURATION), "An exemplar leads to the trace of a call."),
    timeseries("Latency p95 by model", "s",
               [query(quantile("0.95", MODEL, buckets(DURATION)), "{{%s}}" % MODEL)]),
    timeseries("Time to first chunk", "s", quantiles(FIRST_CHUNK),
               "Of streamed calls that say it. Rises with queues at the provider and with the size of the input."),
    timeseries("Time to first chunk p95 by model", "s",
               [query(quantile("0.95", MODEL, buckets(FIRST_CHUNK)), "{{%s}}" % MODEL)]),
]

TOKENS = [
    timeseries("Input tokens a second by model", "short", by(MODEL, tokens("input")), stack=True),
    timeseries("Output tokens a second by model", "short", by(MODEL, tokens("output")), stack=True),
    timeseries("Input tokens a second by service", "short", by(SERVICE, tokens("input")), stack=True),
    timeseries("Output tokens a second by service", "short", by(SERVICE, tokens("output")), stack=True),
    heatmap("Input tokens per request", "short",
            sizes("input"),
            "How many requests there were of each size. A second, brighter band is another kind of prompt."),
    heatmap("Output tokens per request", "short",
            sizes("output")),
]

PARTS = " The parts have metrics under target main only; under 1.41 all is in the rest."
COST = [
    timeseries("Input tokens a second by price", "short", [
        query(f"{whole(tokens('input'))} - ({share_of('input', 'cache_read')}) - ({share_of('input', 'cache_write')})",
              "neither read nor written"),
        query(share_of("input", "cache_read"), "read from cache"),
        query(share_of("input", "cache_write"), "written to cache"),
    ], "Providers bill cached input at a fraction and what is written to a cache at a surcharge." + PARTS, stack=True),
    timeseries("Output tokens a second by price", "short", [
        query(f"{whole(tokens('output'))} - ({share_of('output', 'reasoning')})", "answers"),
        query(share_of("output", "reasoning"), "reasoning"),
    ], "Reasoning is billed as output and not shown to users." + PARTS, stack=True),
    timeseries("Tokens a second by provider", "short", [
        query(total("gen_ai_provider_name", tokens("input")), "{{gen_ai_provider_name}} input"),
        query(total("gen_ai_provider_name", tokens("output")), "{{gen_ai_provider_name}} output"),
    ]),
    timeseries("Output tokens for one of input, by model", "short",
               [query(f"{total(MODEL, tokens('output'))} / ({total(MODEL, tokens('input'))} > 0)", "{{%s}}" % MODEL)],
               "Output costs several times as much as input with most providers."),
]

EACH = f"{SERVICE}, {MODEL}"
RANGE = {"window": "$__range", "function": "increase"}
MODELS = [
    table("Services and models, in the time range", [
        ("Requests", "short", total(EACH, calls(**RANGE))),
        ("Failed", "short", total(EACH, calls(FAILED, **RANGE))),
        ("Input tokens", "short", total(EACH, tokens("input", **RANGE))),
        ("Output tokens", "short", total(EACH, tokens("output", **RANGE))),
        ("Latency p95", "s", quantile("0.95", EACH, either(
            "rate", [f"{name}_bucket" for name in DURATION], *OF, window="$__range"))),
    ], [(SERVICE, "Service"), (MODEL, "Model")]),
]


def build():
    # Either name of the durations: what has calls has a duration.
    any_call = '{__name__=~"${namespace}gen_ai_client_(operation|inference)_duration_seconds_count"%s}'
    variables = [
        datasource_variable(),
        choice_variable("namespace", "Namespace", NAMESPACES, "none"),
        label_variable("service", "Service", any_call % "", SERVICE),
        label_variable("model", "Model", any_call % ', service_name=~"$service"', MODEL),
    ]
    return dashboard(
        "dragoman-genai", "GenAI calls",
        "Calls to models as Dragoman derives them from traces, each call once. Reads the metrics of target 1.41 and"
        " of target main.",
        variables,
        [("Overview", OVERVIEW), ("Requests", REQUESTS), ("Latency", LATENCY), ("Tokens", TOKENS), ("Cost", COST),
         ("Models", MODELS)],
    )
