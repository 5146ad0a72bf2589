"""Sends one span of a call in old words through the official exporter: send.py grpc|http ENDPOINT."""

import sys

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult

transport, endpoint = sys.argv[1:]
if transport == "grpc":
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    exporter = OTLPSpanExporter(endpoint=endpoint, insecure=True)
else:
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    exporter = OTLPSpanExporter(endpoint=endpoint, compression=Compression.Gzip)


class Checked(SimpleSpanProcessor):
    """Fails the program where the SDK would only log."""

    def on_end(self, span):
        if exporter.export((span,)) is not SpanExportResult.SUCCESS:
            sys.exit("the export failed")


provider = TracerProvider(resource=Resource({"service.name": "python-client"}))
provider.add_span_processor(Checked(exporter))
with provider.get_tracer("hand-written").start_as_current_span("chat gpt-4o") as span:
    span.set_attribute("gen_ai.system", "openai")
    span.set_attribute("gen_ai.operation.name", "chat")
    span.set_attribute("gen_ai.request.model", "gpt-4o")
    span.set_attribute("gen_ai.usage.prompt_tokens", 123)
    span.set_attribute("gen_ai.usage.completion_tokens", 45)
provider.shutdown()
