//! The classic text format, 0.0.4, which prometheus-client does not write. It has no exemplars, no
//! unit and no end; a counter's descriptors carry `_total`.

use std::fmt::Write;
use std::sync::Arc;

use crate::metrics::snapshot::Kind;

use super::page::{Page, PageFamily, PageSeries, PageValue};

pub(super) fn write(page: &Page) -> String {
    let mut out = String::new();
    for family in &page.families {
        if !family.series.is_empty() {
            write_family(&mut out, family);
        }
    }
    out
}

fn write_family(out: &mut String, family: &PageFamily) {
    let (suffix, kind) = match family.kind {
        Kind::Counter => ("_total", "counter"),
        Kind::Gauge => ("", "gauge"),
        Kind::Histogram => ("", "histogram"),
        Kind::Summary => ("", "summary"),
        Kind::Info => ("_info", "gauge"),
    };
    let name = format!("{}{suffix}", family.name);
    let help = family.help.replace('\\', "\\\\");
    line(out, format_args!("# HELP {name} {help}"));
    line(out, format_args!("# TYPE {name} {kind}"));
    for series in &family.series {
        write_series(out, &name, series);
    }
}

fn write_series(out: &mut String, name: &str, series: &PageSeries) {
    let labels = label_text(&series.labels);
    let braces = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
    match &series.value {
        PageValue::Integer(value, _) => line(out, format_args!("{name}{braces} {value}")),
        PageValue::Double(value) => line(out, format_args!("{name}{braces} {value:?}")),
        PageValue::Histogram { bounds, counts, sum, .. } => {
            let comma = if labels.is_empty() { "" } else { "," };
            let mut count = 0_u64;
            // Bounds look as in OpenMetrics ("1.0"), so that a scraper which changes formats keeps its series.
            let bounds = bounds.iter().map(|bound| format!("{bound:?}")).chain(["+Inf".to_owned()]);
            for (bound, more) in bounds.zip(counts) {
                count = count.saturating_add(*more);
                line(out, format_args!("{name}_bucket{{le=\"{bound}\"{comma}{labels}}} {count}"));
            }
            line(out, format_args!("{name}_sum{braces} {sum:?}"));
            line(out, format_args!("{name}_count{braces} {count}"));
        }
    }
}

/// Labels without the braces, escaped.
pub(super) fn label_text(labels: &[(Arc<str>, String)]) -> String {
    let mut out = String::new();
    for (name, value) in labels {
        if !out.is_empty() {
            out.push(',');
        }
        out.push_str(name);
        out.push_str("=\"");
        for c in value.chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                '"' => out.push_str("\\\""),
                '\n' => out.push_str("\\n"),
                c => out.push(c),
            }
        }
        out.push('"');
    }
    out
}

/// Writing to a string does not fail.
fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    if out.write_fmt(text).is_ok() {
        out.push('\n');
    }
}
