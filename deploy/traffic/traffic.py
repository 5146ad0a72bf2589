"""What instrumented LLM applications send, without an application and without a model.

Two services answer chat requests. Each request is a trace: the HTTP server's span, what the service reads
from sqlite, and the model's call in the words of one of three instrumentations that stand in the field:
LiteLLM 1.40, OpenLLMetry 0.49 and OpenInference. Some calls fail. The duration of the HTTP requests goes out
as a metric of the applications' own. Everything is OTLP over HTTP, as JSON; Python's own library is enough.

    OTEL_EXPORTER_OTLP_ENDPOINT   where to send; http://127.0.0.1:4318
    CALLS_PER_SECOND              how many, on the average; 2
    CALLS                         end after so many; without it, go on

What is sent is counted on standard output, so that it can be compared with what arrives.
"""

import json
import os
import random
import signal
import sys
import time
import urllib.error
import urllib.request

ENDPOINT = os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318").rstrip("/")
RATE = float(os.environ.get("CALLS_PER_SECOND", "2"))
CALLS = int(os.environ.get("CALLS", "0"))

INTERNAL, SERVER, CLIENT = 1, 2, 3
ERROR = {"code": 2, "message": "Rate limit reached"}
BOUNDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10]

QUESTIONS = [
    ("What is a dragoman?", "An interpreter at courts that shared no language."),
    ("Summarise the meeting notes.", "Three decisions were taken, and one was put off to next week."),
    ("Write a haiku about telemetry.", "Spans drift through the night / each token counted but once / the dashboard is calm."),
]


def value(content):
    """An AnyValue of OTLP/JSON."""
    if isinstance(content, bool):
        return {"boolValue": content}
    if isinstance(content, int):
        return {"intValue": str(content)}
    if isinstance(content, float):
        return {"doubleValue": content}
    return {"stringValue": str(content)}


def attributes(pairs):
    return [{"key": key, "value": value(content)} for key, content in pairs.items()]


def span(trace, parent, name, kind, start, end, pairs, status=None):
    """Times are in seconds."""
    made = {
        "traceId": trace,
        "spanId": random.randbytes(8).hex(),
        "name": name,
        "kind": kind,
        "startTimeUnixNano": str(int(start * 1e9)),
        "endTimeUnixNano": str(int(end * 1e9)),
        "attributes": attributes(pairs),
    }
    if parent:
        made["parentSpanId"] = parent
    if status:
        made["status"] = status
    return made


# Each says one call in its own words: the span's name, its kind and its attributes.


def litellm(call):
    pairs = {
        "gen_ai.request.model": call["model"],
        "gen_ai.system": call["provider"],
        "llm.is_streaming": "False",
        "SpanAttributes.LLM_PROMPTS.0.role": "user",
        "SpanAttributes.LLM_PROMPTS.0.content": call["question"],
    }
    if call["ok"]:
        pairs |= {
            "gen_ai.response.model": call["model"],
            "gen_ai.usage.prompt_tokens": call["input"],
            "gen_ai.usage.completion_tokens": call["output"],
            "llm.usage.total_tokens": call["input"] + call["output"],
            "SpanAttributes.LLM_COMPLETIONS.0.role": "assistant",
            "SpanAttributes.LLM_COMPLETIONS.0.content": call["answer"],
            "SpanAttributes.LLM_COMPLETIONS.0.finish_reason": "stop",
        }
    return "litellm_request", INTERNAL, pairs


def openllmetry(call):
    pairs = {
        "llm.request.type": "chat",
        "gen_ai.system": call["provider"],
        "gen_ai.request.model": call["model"],
        "gen_ai.prompt.0.role": "user",
        "gen_ai.prompt.0.content": call["question"],
    }
    if call["ok"]:
        pairs |= {
            "gen_ai.response.model": call["model"],
            "gen_ai.response.id": "chatcmpl-" + random.randbytes(12).hex(),
            "gen_ai.usage.prompt_tokens": call["input"],
            "gen_ai.usage.completion_tokens": call["output"],
            "llm.usage.total_tokens": call["input"] + call["output"],
            "gen_ai.completion.0.role": "assistant",
            "gen_ai.completion.0.content": call["answer"],
            "gen_ai.completion.0.finish_reason": "stop",
        }
    return "openai.chat", CLIENT, pairs


def openinference(call):
    pairs = {
        "openinference.span.kind": "LLM",
        "llm.provider": call["provider"],
        "llm.system": call["provider"],
        "llm.model_name": call["model"],
        "llm.input_messages.0.message.role": "user",
        "llm.input_messages.0.message.content": call["question"],
    }
    if call["ok"]:
        pairs |= {
            "llm.token_count.prompt": call["input"],
            "llm.token_count.completion": call["output"],
            "llm.token_count.total": call["input"] + call["output"],
            "llm.output_messages.0.message.role": "assistant",
            "llm.output_messages.0.message.content": call["answer"],
        }
    return "ChatCompletion", INTERNAL, pairs


EMITTERS = [
    # the service, the scope, its words, provider, model
    ("support-bot", "litellm", litellm, "ollama", "codegemma"),
    ("support-bot", "opentelemetry.instrumentation.openai.v1", openllmetry, "openai", "gpt-4o-mini"),
    ("meeting-notes", "openinference.instrumentation.openai", openinference, "openai", "gpt-4o"),
]


class Service:
    """One that sends: what it has measured since it started."""

    def __init__(self, name):
        self.resource = {"attributes": attributes({"service.name": name, "service.instance.id": name + "-1"})}
        self.started = time.time()
        self.counts = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0

    def measure(self, seconds):
        self.counts[sum(seconds > bound for bound in BOUNDS)] += 1
        self.seconds += seconds

    def metrics(self):
        point = {
            "attributes": attributes({"http.request.method": "POST", "http.route": "/chat"}),
            "startTimeUnixNano": str(int(self.started * 1e9)),
            "timeUnixNano": str(time.time_ns()),
            "count": str(sum(self.counts)),
            "sum": self.seconds,
            "bucketCounts": [str(count) for count in self.counts],
            "explicitBounds": BOUNDS,
        }
        histogram = {"aggregationTemporality": 2, "dataPoints": [point]}
        metric = {"name": "http.server.request.duration", "unit": "s", "histogram": histogram}
        scope = {"scope": {"name": "opentelemetry.instrumentation.fastapi"}, "metrics": [metric]}
        return {"resourceMetrics": [{"resource": self.resource, "scopeMetrics": [scope]}]}


def post(path, body):
    """Sends until it is taken: a sidecar that restarts, or says that it is full, gets it later."""
    request = urllib.request.Request(
        ENDPOINT + path, json.dumps(body).encode(), {"content-type": "application/json"}
    )
    while True:
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                answer.read()
                return
        except urllib.error.HTTPError as error:
            if error.code not in (429, 502, 503, 504):
                raise
            print(f"{ENDPOINT}{path}: {error}; again in a second", flush=True)
        except OSError as error:
            print(f"{ENDPOINT}{path}: {error}; again in a second", flush=True)
        time.sleep(1)


def one_call(services):
    """A request of a user, from the HTTP server down to the model, sent as one trace."""
    service_name, scope, words, provider, model = random.choice(EMITTERS)
    question, answer = random.choice(QUESTIONS)
    call = {
        "provider": provider,
        "model": model,
        "question": question,
        "answer": answer,
        "input": 8 + len(question) // 4,
        "output": len(answer) // 4,
        "ok": random.random() > 0.04,
    }
    seconds = random.lognormvariate(-0.3, 0.6)
    end = time.time()
    start = end - seconds
    trace = random.randbytes(16).hex()
    status = None if call["ok"] else ERROR
    code = 200 if call["ok"] else 429
    http = {"http.request.method": "POST", "http.route": "/chat", "http.response.status_code": code}
    root = span(trace, None, "POST /chat", SERVER, start, end, http)
    database = {"db.system": "sqlite", "db.statement": "SELECT * FROM history WHERE session = ?"}
    read = span(trace, root["spanId"], "SELECT", CLIENT, start, start + 0.002, database)
    name, kind, pairs = words(call)
    asked = span(trace, root["spanId"], name, kind, start + 0.003, end - 0.001, pairs, status)
    scopes = [
        {"scope": {"name": "opentelemetry.instrumentation.fastapi"}, "spans": [root]},
        {"scope": {"name": "opentelemetry.instrumentation.sqlite3"}, "spans": [read]},
        {"scope": {"name": scope}, "spans": [asked]},
    ]
    service = services[service_name]
    post("/v1/traces", {"resourceSpans": [{"resource": service.resource, "scopeSpans": scopes}]})
    service.measure(seconds)
    post("/v1/metrics", service.metrics())
    return call


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    services = {name: Service(name) for name in {emitter[0] for emitter in EMITTERS}}
    sent = {"calls": 0, "failed": 0, "input_tokens": 0, "output_tokens": 0}
    print(f"sending {RATE} calls a second to {ENDPOINT}", flush=True)
    while CALLS == 0 or sent["calls"] < CALLS:
        call = one_call(services)
        sent["calls"] += 1
        if call["ok"]:
            sent["input_tokens"] += call["input"]
            sent["output_tokens"] += call["output"]
        else:
            sent["failed"] += 1
        if sent["calls"] % 100 == 0 or sent["calls"] == CALLS:
            print(json.dumps(sent), flush=True)
        if CALLS == 0 or sent["calls"] < CALLS:
            time.sleep(random.expovariate(RATE))


if __name__ == "__main__":
    main()
