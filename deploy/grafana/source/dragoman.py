"""Dragoman itself, from its page of self-metrics: where every item is, what is full, what went wrong.

What goes wrong is rare, and a row of a counter appears with the first time; a rate does not see that
one. Such panels therefore show what was counted since the start, where every one is a step.
"""

from model import dashboard, datasource_variable, label_variable, query, stat, steps, table, timeseries
from promql import or_zero, total

OF = 'job=~"$job", instance=~"$instance"'
RATE = "[$__rate_interval]"


def now(name, *matchers):
    return f"{name}{{{', '.join([OF, *matchers])}}}"


def rate(name, *matchers):
    return f"rate({now(name, *matchers)}{RATE})"


def names(pattern):
    return f'{{__name__=~"{pattern}", {OF}}}'


def legend(labels):
    return " ".join("{{%s}}" % label for label in labels.split(", "))


def rates(name, labels, *matchers):
    return [query(total(labels, rate(name, *matchers)), legend(labels))]


def steps_of(name, labels):
    """What was counted since the start, of each of `labels`."""
    return [query(or_zero(total(labels, now(name)), labels), legend(labels))]


PIPELINE, LEG = "instance, pipeline", "instance, pipeline, exporter"
PIPELINE_PARTS = [
    ("Received", "dragoman_pipeline_received_items_total"),
    ("Refused", "dragoman_pipeline_refused_items_total"),
    ("Dropped", "dragoman_pipeline_dropped_items_total"),
    ("Held", "dragoman_pipeline_held_items"),
    ("Passed on", "dragoman_pipeline_outgoing_items_total"),
]
LEG_PARTS = [
    ("Given", "dragoman_pipeline_given_items_total"),
    ("Recovered", "dragoman_pipeline_recovered_items_total"),
    ("Derived", "dragoman_pipeline_derived_items_total"),
    ("Exported", "dragoman_pipeline_exported_items_total"),
    ("Queued", "dragoman_pipeline_queued_items"),
    ("Lost", "dragoman_pipeline_lost_items_total"),
]
PIPELINE_IMBALANCE = (
    f"{total(PIPELINE, now('dragoman_pipeline_received_items_total'))} - "
    + total(PIPELINE, names("dragoman_pipeline_(dropped_items_total|refused_items_total|outgoing_items_total|held_items)")))
LEG_IMBALANCE = (
    total(LEG, names("dragoman_pipeline_(given|recovered|derived)_items_total")) + " - "
    + total(LEG, names("dragoman_pipeline_(exported_items_total|lost_items_total|queued_items)")))
QUEUE_FILL = (f"{total('instance, exporter, data_type', now('otelcol_exporter_queue_size'))} / "
              f"({total('instance, exporter, data_type', now('otelcol_exporter_queue_capacity'))} > 0)")
MEMORY_FILL = f"max by (instance) ({now('dragoman_memory_claimed_bytes')}) / min by (instance) ({now('dragoman_memory_limit_bytes')})"

BAD = steps((1, "red"))
FILL = steps((0.7, "orange"), (0.9, "red"))

OVERVIEW = [
    stat("Version", "none", total("service_version", now("target_info", 'service_name="dragoman"')), text="service_version", graph=False,
         width=3),
    stat("Received", "short", total("", rate("dragoman_pipeline_received_items_total")),
         "Spans, data points and log records a second.", width=3, decimals=1),
    stat("Unaccounted for", "short", f"sum(abs({PIPELINE_IMBALANCE})) + sum(abs({LEG_IMBALANCE}))",
         "What the books do not explain. Zero, always.", width=3, decimals=0, thresholds=BAD),
    stat("Lost", "short", or_zero(total("", now("dragoman_pipeline_lost_items_total"))),
         "Items that an exporter gave up since the start.", width=3, decimals=0, thresholds=BAD),
    stat("Refused requests", "short", or_zero(total("", now("dragoman_receiver_refused_requests_total"))),
         "Since the start. Their senders were told.", width=3, decimals=0, thresholds=steps((1, "orange"))),
    stat("Fullest queue", "percentunit", or_zero(f"max({QUEUE_FILL})"), width=3, decimals=0, thresholds=FILL),
    stat("Memory claimed", "percentunit", f"max({MEMORY_FILL})", "Of the limit of requests.", width=3, decimals=0,
         thresholds=FILL),
    stat("Configuration", "none", f"min({now('dragoman_config_last_reload_successful')})",
         "1: the file that was read last is in force. 0: it was not taken.", width=3, decimals=0, graph=False,
         thresholds={"mode": "absolute", "steps": [{"color": "red", "value": None}, {"color": "green", "value": 1}]}),
]


def or_none(labels, name):
    """A column has a zero where a pipeline has no row of its own."""
    return f"{total(labels, now(name))} or 0 * {total(labels, now(FIRST[labels]))}"


FIRST = {PIPELINE: PIPELINE_PARTS[0][1], LEG: LEG_PARTS[0][1]}


def account(title, labels, headings, parts, imbalance, description):
    columns = [(heading, "short", or_none(labels, name)) for heading, name in parts]
    columns.append(("Unaccounted for", "short", imbalance))
    return table(title, columns, headings, description, height=6)


BOOKS = [
    account("Pipelines", PIPELINE, [("instance", "Instance"), ("pipeline", "Pipeline")], PIPELINE_PARTS,
            PIPELINE_IMBALANCE, "Received = refused + dropped + held + passed on."),
    account("Exporters", LEG, [("instance", "Instance"), ("pipeline", "Pipeline"), ("exporter", "Exporter")],
            LEG_PARTS, LEG_IMBALANCE, "Given + recovered + derived = exported + queued + lost."),
    timeseries("Received by pipeline", "cps", rates("dragoman_pipeline_received_items_total", "pipeline"), width=8),
    timeseries("Exported by exporter", "cps", rates("dragoman_pipeline_exported_items_total", "exporter"), width=8),
    timeseries("Unaccounted for", "short", [
        query(PIPELINE_IMBALANCE, "{{pipeline}}"), query(LEG_IMBALANCE, "{{pipeline}} {{exporter}}"),
    ], "Zero at every scrape.", width=8),
    timeseries("Dropped by reason", "short", steps_of("dragoman_pipeline_dropped_items_total", "processor, reason"),
               "Since the start: what processors took out on purpose.", width=8),
    timeseries("Refused by reason", "short", steps_of("dragoman_pipeline_refused_items_total", "pipeline, reason"),
               "Items, since the start. Their senders were told.", width=8),
    timeseries("Lost by reason", "short", steps_of("dragoman_pipeline_lost_items_total", "exporter, reason"),
               "Items that were acknowledged and given up, since the start.", width=8),
]

RECEIVERS = [
    timeseries("Accepted", "cps", [
        query(total("transport", rate(f"otelcol_receiver_accepted_{items}_total")), "{{transport}} " + items)
        for items in ["spans", "metric_points", "log_records"]], width=8),
    timeseries("Refused requests by reason", "short", steps_of("dragoman_receiver_refused_requests_total",
                                                               "transport, reason"),
               "Since the start.", width=8),
    timeseries("Failed TLS handshakes", "short", steps_of("dragoman_tls_handshake_failures_total", "listener"),
               "Since the start.", width=8),
]

EXPORTERS = [
    timeseries("Queue fill", "percentunit", [query(or_zero(QUEUE_FILL, "exporter"), "{{exporter}} {{data_type}}")],
               "Bytes in the queue, requests under way included, of its capacity. Act at 70 %.", width=8, maximum=1),
    timeseries("Items that wait or are under way", "short", [
        query(or_zero(total("exporter, data_type", now("dragoman_exporter_held_items")), "exporter, data_type"), "{{exporter}} {{data_type}}"),
    ], width=8),
    timeseries("Requests under way", "short", [
        query(or_zero(total("exporter, data_type", now("otelcol_exporter_in_flight_requests")), "exporter, data_type"),
              "{{exporter}} {{data_type}}")],
        "Those that wait between two attempts included: a line that stays up is a backend that does not answer.",
        width=8),
    timeseries("Given up by reason", "short", steps_of("dragoman_exporter_lost_items_total", "exporter, signal, reason"),
               "Items, since the start, after all attempts.", width=8),
    timeseries("Retries by reason", "reqps", [
        query(or_zero(total("exporter, reason", rate("dragoman_exporter_retries_total")), "exporter, reason"), "{{exporter}} {{reason}}")],
        "Attempts that failed and are made again; nothing is lost by them. connection: none, or it broke. throttled: 429. "
        "unavailable: 502 to 504.", width=8),
    timeseries("Requests by cause of their size", "reqps", [
        query(or_zero(total("exporter, cause", rate("dragoman_exporter_requests_total")), "exporter, cause"), "{{exporter}} {{cause}}")],
        "as_received: as they came. size, timeout: batched.", width=8),
    timeseries("Items of a request", "short", [
        query(or_zero(f"histogram_quantile({share}, sum by (le) ({rate('otelcol_exporter_queue_batch_send_size_bucket')}))"),
              label) for share, label in [("0.50", "p50"), ("0.95", "p95")]], width=8),
    timeseries("Queue on disk", "bytes", steps_of("dragoman_queue_disk_bytes", "exporter, data_type"),
               "Of queues with a storage.", width=8),
    timeseries("Failures of queues on disk", "short", [
        query(or_zero(total("exporter", now(f"dragoman_queue_{what}_total"))), "{{exporter}} " + what)
        for what in ["corrupt_records", "write_failures", "sync_failures"]], "Since the start.", width=8),
]

TRANSLATION = [
    timeseries("Keys by outcome", "cps", rates("dragoman_genai_keys_total", "outcome"),
               "What became of attributes and events that a dialect claimed.", width=8),
    timeseries("Keys by dialect", "cps", rates("dragoman_genai_keys_total", "dialect"), width=8),
    timeseries("Operations", "short", steps_of("dragoman_genai_operations_total", "operation"),
               "Spans that were taken for a GenAI operation, since the start.", width=8),
    table("Unmapped keys", [("Seen", "short", or_zero(total("scope, key", now("dragoman_unmapped_keys_total")), "key, scope"))],
          [("scope", "Scope"), ("key", "Key")],
          "Under a prefix that is known, and read by no dialect. They stay on the span.", width=12),
    table("Keys that were not expressed", [
        ("Keys", "short", or_zero(total("dialect, outcome, reason",
                                        now("dragoman_genai_keys_total", 'outcome!="expressed"')))),
    ], [("dialect", "Dialect"), ("outcome", "Outcome"), ("reason", "Reason")], width=12),
    timeseries("Token counts that were suppressed", "short",
               steps_of("dragoman_genai_suppressed_total", "reason"),
               "Since the start: seen and not counted, because the call was counted already or says nothing.", width=8),
    timeseries("Applications' own metrics", "cps", [
        query(or_zero(total("outcome, reason", rate("dragoman_genai_metrics_total")), "outcome, reason"), "{{outcome}} {{reason}}")],
        "Data points, by what became of them.", width=8),
    timeseries("Dropped spans and their children", "short", [
        query(or_zero(total("", now("dragoman_dropped_spans_total"))), "dropped"),
        query(or_zero(total("", now("dragoman_drop_reparented_spans_total"))), "given another parent"),
        query(or_zero(total("", now("dragoman_drop_spared_spans_total"))), "spared"),
        query(or_zero(total("", now("dragoman_drop_orphaned_spans_total"))), "orphaned"),
        query(or_zero(total("", now("dragoman_drop_forgotten_ids_total"))), "forgotten ids"),
    ], "Since the start.", width=8),
]

PAGE = [
    timeseries("Series left out of the last scrape", "short", [
        query(or_zero(total("exporter, reason", now("dragoman_prometheus_left_out_series")), "reason, exporter"), "{{reason}}")],
        "Of the prometheus exporter's page, by reason.", width=8),
    timeseries("Items that are not on the page", "short",
               steps_of("dragoman_prometheus_not_exposed_total", "reason"), "Since the start, by reason.", width=8),
    timeseries("Series of applications", "short", [
        query(or_zero(total("exporter", now("dragoman_prometheus_series")), "exporter"), "{{exporter}}")],
        "What the page holds of applications, besides what is derived.", width=8),
]

PROCESS = [
    timeseries("Memory", "bytes", [
        query(f"min by (instance) ({now('dragoman_memory_limit_bytes')})", "limit of requests"),
        query(f"max by (instance) ({now('dragoman_memory_claimed_bytes')})", "claimed by requests"),
        query(f"max by (instance) ({now('otelcol_process_memory_rss_bytes')})", "resident"),
    ], width=8),
    timeseries("Processor", "percentunit", [
        query(f"sum by (instance) ({rate('otelcol_process_cpu_seconds_total')})", "{{instance}}")], "Of one core.", width=8),
    timeseries("Reloads", "short", steps_of("dragoman_config_reloads_total", "outcome"), "Since the start.", width=8),
    stat("Running for", "s", f"min({now('otelcol_process_uptime_seconds_total')})", "The youngest.", width=6,
         thresholds=steps(), graph=False),
    stat("Last good configuration", "s",
         f"time() - max({now('dragoman_config_last_reload_success_timestamp_seconds')})", "Ago.", width=6, graph=False),
    stat("Tasks that died", "short", or_zero(total("", now("dragoman_task_deaths_total"))),
         "A defect. The program ends.", width=6, decimals=0, thresholds=BAD),
    stat("Requests that met a defect", "short", total("", now("dragoman_request_panics_total")),
         "Each failed alone.", width=6, decimals=0, thresholds=BAD),
]


def build():
    anything = "dragoman_pipeline_received_items_total"
    variables = [
        datasource_variable(),
        label_variable("job", "Job", anything, "job", everything=False),
        label_variable("instance", "Instance", anything + '{job=~"$job"}', "instance", everything=False),
    ]
    return dashboard(
        "dragoman-itself", "Dragoman",
        "Dragoman itself: its books, queues, refusals and losses, and what translation made of the keys it saw.",
        variables,
        [("Overview", OVERVIEW), ("Books", BOOKS), ("Receivers", RECEIVERS), ("Exporters", EXPORTERS),
         ("Translation", TRANSLATION), ("Prometheus page", PAGE), ("Process", PROCESS)],
    )
