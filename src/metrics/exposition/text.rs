//! The text formats: OpenMetrics 1.0 and the classic one. They differ in descriptors, in what may be
//! negative or unknown, in exemplars, in the unit of timestamps and in the end of the page.

use crate::metrics::snapshot::{Distribution, Exemplar, Kind, NativeDistribution, Quantiles, Series, Value};

use super::escaping::is_classic;
use super::labels::LabelSet;
use super::native::Classic;
use super::number;
use super::page::{Section, Writer};

/// Writes text.
pub(super) struct Text {
    openmetrics: bool,
    timestamps: bool,
    /// The series' labels as they stand in the braces. The lines of a series share them.
    labels: Vec<u8>,
    exemplar: LabelSet,
    buckets: Classic,
    quantiles: Vec<(f64, f64)>,
}

impl Text {
    pub(super) fn openmetrics(timestamps: bool) -> Self {
        Text { openmetrics: true, ..Text::classic(timestamps) }
    }

    pub(super) fn classic(timestamps: bool) -> Self {
        Text {
            openmetrics: false,
            timestamps,
            labels: Vec::new(),
            exemplar: LabelSet::default(),
            buckets: Classic::default(),
            quantiles: Vec::new(),
        }
    }

    /// The name, labels and value of a sample. `own` is the label that only this sample has.
    fn sample(
        &self,
        out: &mut Vec<u8>,
        section: &Section,
        suffix: &str,
        own: Option<(&str, f64)>,
        value: impl FnOnce(&mut Vec<u8>),
    ) {
        let quoted = !is_classic(&section.name);
        if quoted {
            out.push(b'{');
        }
        name(out, &section.name, suffix);
        let mut first = !quoted;
        let mut separate = |out: &mut Vec<u8>| out.push(if std::mem::take(&mut first) { b'{' } else { b',' });
        if let Some((label, value)) = own {
            separate(out);
            out.extend_from_slice(label.as_bytes());
            out.extend_from_slice(b"=\"");
            number::bound(out, value);
            out.push(b'"');
        }
        if !self.labels.is_empty() {
            separate(out);
            out.extend_from_slice(&self.labels);
        }
        if quoted || own.is_some() || !self.labels.is_empty() {
            out.push(b'}');
        }
        out.push(b' ');
        value(out);
    }

    /// What follows a value on its line.
    fn end_line(&self, out: &mut Vec<u8>, series: &Series) {
        if self.timestamps && series.time_unix_nano > 0 {
            out.push(b' ');
            let millis = series.time_unix_nano / 1_000_000;
            if self.openmetrics {
                seconds(out, millis);
            } else {
                number::put(out, format_args!("{millis}"));
            }
        }
    }

    fn line(
        &self,
        out: &mut Vec<u8>,
        section: &Section,
        suffix: &str,
        series: &Series,
        value: impl FnOnce(&mut Vec<u8>),
    ) {
        self.sample(out, section, suffix, None, value);
        self.end_line(out, series);
        out.push(b'\n');
    }

    /// An exemplar, if this format has them and it has something to say.
    fn exemplar(&mut self, out: &mut Vec<u8>, exemplar: Option<&Exemplar>) {
        let Some(exemplar) = exemplar.filter(|exemplar| self.openmetrics && exemplar.value.is_finite()) else { return };
        self.exemplar.read_exemplar(exemplar);
        if self.exemplar.is_empty() {
            return;
        }
        out.extend_from_slice(b" # {");
        label_text(out, &self.exemplar);
        out.extend_from_slice(b"} ");
        number::float(out, exemplar.value);
        if exemplar.time_unix_nano > 0 {
            out.push(b' ');
            seconds(out, exemplar.time_unix_nano / 1_000_000);
        }
    }

    fn number(&mut self, out: &mut Vec<u8>, section: &Section, series: &Series) {
        let mut last = None;
        self.sample(out, section, section.suffix, None, |out| match &series.value {
            Value::Integer(..) if section.kind == Kind::Info => out.push(b'1'),
            Value::Integer(value, exemplar) => {
                last = exemplar.as_ref();
                number::put(out, format_args!("{value}"));
            }
            Value::Signed(value) => number::put(out, format_args!("{value}")),
            Value::Double(value, exemplar) => {
                last = exemplar.as_ref();
                number::float(out, *value);
            }
            Value::Histogram(_) | Value::Native(_) | Value::Summary(_) => {}
        });
        self.end_line(out, series);
        // OpenMetrics has no exemplars on what it cannot call a counter.
        if section.kind == Kind::Counter && !section.suffix.is_empty() {
            self.exemplar(out, last);
        }
        out.push(b'\n');
    }

    fn histogram(&mut self, out: &mut Vec<u8>, section: &Section, series: &Series, distribution: &Distribution) {
        let Distribution { bounds, counts, sum, exemplars } = distribution;
        let mut count = 0_u64;
        for (at, more) in counts.iter().enumerate() {
            count = count.saturating_add(*more);
            let bound = bounds.get(at).copied().unwrap_or(f64::INFINITY);
            let below = at.checked_sub(1).and_then(|at| bounds.get(at)).copied().unwrap_or(f64::NEG_INFINITY);
            let exemplar = exemplars.iter().find(|(bucket, _)| *bucket == at).map(|(_, exemplar)| exemplar);
            let exemplar = exemplar.filter(|exemplar| below < exemplar.value && exemplar.value <= bound);
            self.bucket(out, section, series, (bound, count), exemplar);
        }
        let negative = bounds.first().is_some_and(|bound| *bound < 0.0);
        self.sum_and_count(out, section, series, *sum, count, negative);
    }

    fn bucket(
        &mut self,
        out: &mut Vec<u8>,
        section: &Section,
        series: &Series,
        (bound, count): (f64, u64),
        exemplar: Option<&Exemplar>,
    ) {
        self.sample(out, section, "_bucket", Some(("le", bound)), |out| number::put(out, format_args!("{count}")));
        self.end_line(out, series);
        self.exemplar(out, exemplar);
        out.push(b'\n');
    }

    /// OpenMetrics has a sum only of what cannot become less, and a count only beside a sum; that of
    /// the last bucket is the same.
    fn sum_and_count(
        &self,
        out: &mut Vec<u8>,
        section: &Section,
        series: &Series,
        sum: Option<f64>,
        count: u64,
        negative: bool,
    ) {
        let sum = sum.filter(|sum| !self.openmetrics || (*sum >= 0.0 && !negative));
        if let Some(sum) = sum {
            self.line(out, section, "_sum", series, |out| number::float(out, sum));
        }
        if sum.is_some() || !self.openmetrics {
            self.line(out, section, "_count", series, |out| number::put(out, format_args!("{count}")));
        }
    }

    fn native(&mut self, out: &mut Vec<u8>, section: &Section, series: &Series, native: &NativeDistribution) {
        let mut buckets = std::mem::take(&mut self.buckets);
        buckets.read(native);
        let mut below = f64::NEG_INFINITY;
        let all = buckets.bounds.iter().copied().zip(buckets.cumulative.iter().copied());
        for (bound, count) in all.chain([(f64::INFINITY, native.count)]) {
            let within = |exemplar: &&Exemplar| below < exemplar.value && exemplar.value <= bound;
            let exemplar = native.exemplars.iter().rev().find(within);
            self.bucket(out, section, series, (bound, count), exemplar);
            below = bound;
        }
        let negative = buckets.bounds.first().is_some_and(|bound| *bound < 0.0);
        self.buckets = buckets;
        self.sum_and_count(out, section, series, native.sum, native.count, negative);
    }

    fn summary(&mut self, out: &mut Vec<u8>, section: &Section, series: &Series, summary: &Quantiles) {
        let mut quantiles = std::mem::take(&mut self.quantiles);
        sorted_quantiles(summary, &mut quantiles);
        for (quantile, value) in &quantiles {
            // OpenMetrics has none below zero.
            if self.openmetrics && *value < 0.0 {
                continue;
            }
            self.sample(out, section, "", Some(("quantile", *quantile)), |out| number::float(out, *value));
            self.end_line(out, series);
            out.push(b'\n');
        }
        self.quantiles = quantiles;
        let sum = summary.sum;
        if !self.openmetrics || sum >= 0.0 {
            self.line(out, section, "_sum", series, |out| number::float(out, sum));
        }
        self.line(out, section, "_count", series, |out| number::put(out, format_args!("{}", summary.count)));
    }
}

impl Writer for Text {
    fn begin(&mut self, out: &mut Vec<u8>, section: &Section) {
        let Section { kind, suffix, .. } = section;
        let (shown, kind) = match (kind, self.openmetrics) {
            // A name that does not end in `_total` is no counter's.
            (Kind::Counter, true) => ("", if suffix.is_empty() { "unknown" } else { "counter" }),
            (Kind::Counter, false) => (*suffix, "counter"),
            (Kind::Info, true) => ("", "info"),
            (Kind::Info, false) => (*suffix, "gauge"),
            (Kind::Gauge, _) => ("", "gauge"),
            (Kind::Histogram, _) => ("", "histogram"),
            (Kind::Summary, _) => ("", "summary"),
        };
        let mut descriptor = |what: &str, text: &dyn Fn(&mut Vec<u8>)| {
            out.extend_from_slice(b"# ");
            out.extend_from_slice(what.as_bytes());
            out.push(b' ');
            name(out, &section.name, shown);
            out.push(b' ');
            text(out);
            out.push(b'\n');
        };
        if !section.help.is_empty() {
            descriptor("HELP", &|out| escape(out, &section.help, self.openmetrics));
        }
        descriptor("TYPE", &|out| out.extend_from_slice(kind.as_bytes()));
        if let Some(unit) = section.unit.as_ref().filter(|_| self.openmetrics && section.kind != Kind::Info) {
            descriptor("UNIT", &|out| out.extend_from_slice(unit.as_bytes()));
        }
    }

    fn series(&mut self, out: &mut Vec<u8>, section: &Section, labels: &LabelSet, series: &Series) {
        self.labels.clear();
        label_text(&mut self.labels, labels);
        match &series.value {
            Value::Integer(..) | Value::Signed(_) | Value::Double(..) => self.number(out, section, series),
            Value::Histogram(distribution) => self.histogram(out, section, series, distribution),
            Value::Native(native) => self.native(out, section, series, native),
            Value::Summary(summary) => self.summary(out, section, series, summary),
        }
    }

    fn end(&mut self, _: &mut Vec<u8>) {}

    fn settles_series(&self) -> bool {
        true
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        if self.openmetrics {
            out.extend_from_slice(b"# EOF\n");
        }
    }
}

/// The quantiles that are some, each once and in order.
pub(super) fn sorted_quantiles(summary: &Quantiles, out: &mut Vec<(f64, f64)>) {
    out.clear();
    out.extend(summary.values.iter().filter(|(quantile, _)| (0.0..=1.0).contains(quantile)));
    out.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    out.dedup_by(|(later, _), (earlier, _)| later == earlier);
}

/// A name, in quotes if it is not classic.
fn name(out: &mut Vec<u8>, name: &str, suffix: &str) {
    if is_classic(name) {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(suffix.as_bytes());
    } else {
        out.push(b'"');
        escape(out, name, true);
        out.extend_from_slice(suffix.as_bytes());
        out.push(b'"');
    }
}

/// Labels without the braces.
fn label_text(out: &mut Vec<u8>, labels: &LabelSet) {
    for (at, (label, value)) in labels.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        // A colon is for metrics' names only.
        if is_classic(label) && !label.contains(':') {
            out.extend_from_slice(label.as_bytes());
        } else {
            out.push(b'"');
            escape(out, label, true);
            out.push(b'"');
        }
        out.extend_from_slice(b"=\"");
        escape(out, value, true);
        out.push(b'"');
    }
}

fn escape(out: &mut Vec<u8>, text: &str, quotes: bool) {
    let special = |byte: u8| matches!(byte, b'\\' | b'\n') || (quotes && byte == b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| special(*byte)) {
        let (plain, from) = rest.split_at(at);
        out.extend_from_slice(plain);
        out.push(b'\\');
        out.push(match from.first() {
            Some(b'\n') | None => b'n',
            Some(byte) => *byte,
        });
        rest = from.get(1..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}

fn seconds(out: &mut Vec<u8>, millis: u64) {
    number::put(out, format_args!("{}.{:03}", millis / 1000, millis % 1000));
}
