"""PromQL that several dashboards write: names behind a namespace, and names of which one is there."""

# Put before every name. The value of "none" is a pattern that matches nothing at all, since a
# variable without a value is not one. `dragoman` is what `native_metrics: both` shows.
NAMESPACES = [("none", "()"), ("llama_stack", "llama_stack_"), ("ogx", "ogx_"), ("dragoman", "dragoman_")]


def series(name, *matchers):
    """A metric of the exporter's page, whatever its namespace."""
    return "{%s}" % ", ".join([f'__name__=~"${{namespace}}{name}"', *matchers])


def either(function, names, *matchers, window="$__rate_interval"):
    """`function` over whichever of the names is there.

    A name may bring matchers of its own: `(name, matcher, ...)`. A series of the second name is left out
    where the first has one with equal labels, so that nothing is in there twice while names change.
    """
    parts = []
    for name in names:
        name, *own = (name,) if isinstance(name, str) else name
        parts.append(f"{function}({series(name, *own, *matchers)}[{window}])")
    return " or ".join(parts)


def total(labels, expression):
    """The sum by `labels`, or of everything."""
    return f"sum by ({labels}) ({expression})" if labels else f"sum({expression})"


def quantile(share, labels, expression):
    """A quantile of a histogram's buckets by `labels`."""
    return f"histogram_quantile({share}, {total(', '.join(filter(None, [labels, 'le'])), expression)})"


def or_zero(expression, labels=""):
    """For what is not there before it happens: a zero where nothing is, with "none" for its first label."""
    zero = f'label_replace(vector(0), "{labels.split(", ")[0]}", "none", "", "")' if labels else "vector(0)"
    return f"{expression} or on() {zero}"
