//! The fuzz targets: what each does with its input.

use dragoman::otlp::compression::Compression;
use dragoman::otlp::signal::Signal;
use dragoman::otlp::split::Limits;
use tonic::codec::CompressionEncoding;

use super::edits::Plan;
use super::engine::edit_on_both_ways;
use super::generate::{Entropy, Wildness, wire};
use super::{config, decompress as decoders, frames, metrics, parts, records};

/// One byte counts the bytes of the edits, then they and the request follow. With 128 more the
/// request is made by the generator.
pub(crate) fn engine(data: &[u8]) {
    edited(data, Signal::Traces, |plan, body| edit_on_both_ways(body, &Plan::new(&mut Entropy::new(plan))));
}

/// As `engine`, with log records.
pub(crate) fn edits_logs(data: &[u8]) {
    edited(data, Signal::Logs, |plan, body| {
        records::edit_on_both_ways(body, &Plan::for_records(&mut Entropy::new(plan)));
    });
}

/// As `engine`, with metrics.
pub(crate) fn edits_metrics(data: &[u8]) {
    edited(data, Signal::Metrics, |plan, body| {
        metrics::edit_on_both_ways(body, &metrics::plan(&mut Entropy::new(plan)));
    });
}

fn edited(data: &[u8], signal: Signal, edit_on_both_ways: impl Fn(&[u8], &[u8])) {
    let Some((&first, rest)) = data.split_first() else { return };
    let Some((plan, body)) = rest.split_at_checked(usize::from(first & 0x7f)) else { return };
    if first < 0x80 {
        edit_on_both_ways(plan, body);
    } else {
        edit_on_both_ways(plan, &wire(signal, &mut Entropy::new(body), Wildness::Any));
    }
}

pub(crate) fn check(data: &[u8]) {
    Signal::ALL.into_iter().for_each(|signal| super::agree_on_refusal(signal, data));
}

pub(crate) fn json_decode(data: &[u8]) {
    Signal::ALL.into_iter().for_each(|signal| super::json_is_a_request_or_refused(signal, data));
}

/// Two bytes are limits of bytes and of items, then follows the request. From 128 on the first byte says
/// that the request is made by the generator.
pub(crate) fn split(data: &[u8]) {
    let &[bytes, items, ref body @ ..] = data else { return };
    let limits = Limits { bytes: 4 * usize::from(bytes & 0x7f), items: usize::from(items) };
    for signal in Signal::ALL {
        match bytes < 0x80 {
            true => parts::parts_are_the_whole(signal, body, limits),
            false => parts::parts_are_the_whole(signal, &wire(signal, &mut Entropy::new(body), Wildness::Any), limits),
        }
    }
}

/// A configuration.
pub(crate) fn yaml(data: &[u8]) {
    config::load_bytes(data);
}

/// A first byte below 192 chooses the compression, the second byte a limit, and the rest is what is
/// sent; from 192 on the rest are the decisions of how something is compressed.
pub(crate) fn decompress(data: &[u8]) {
    let Some((&first, rest)) = data.split_first() else { return };
    if first >= 192 {
        return decoders::made(&mut Entropy::new(rest));
    }
    let Some((&limit, body)) = rest.split_first() else { return };
    let compression = Compression::ALL[usize::from(first) % Compression::ALL.len()];
    // From nothing to 65,025 bytes.
    decoders::any_bytes(compression, body, usize::from(limit).pow(2));
}

/// The first byte says what `grpc-encoding` does and the lengths of the pieces, the second the limit.
pub(crate) fn grpc_frames(data: &[u8]) {
    let &[first, limit, ref body @ ..] = data else { return };
    let encodings =
        [None, Some(CompressionEncoding::Gzip), Some(CompressionEncoding::Zstd), Some(CompressionEncoding::Deflate)];
    let encoding = encodings[usize::from(first) % encodings.len()];
    let pieces: Vec<&[u8]> = body.chunks(1 + usize::from(first / 4)).collect();
    frames::read_on_both_ways(&pieces, usize::from(limit), encoding);
}

/// One byte says what follows: a segment as it is, one that is made of it, or both through files. The
/// first bytes of the rest, as many as another byte says, are acknowledgements.
pub(crate) fn segments(data: &[u8]) {
    let Some((&[kind, cut], rest)) = data.split_first_chunk() else { return };
    let (acknowledgements, rest) = rest.split_at(rest.len().min(usize::from(cut)));
    let made = super::segments::made(rest);
    let segment = if kind & 1 == 0 { rest } else { &made };
    super::segments::segment(segment, acknowledgements);
    if kind & 0x0e == 0x0e {
        super::segments::folder(segment, acknowledgements);
    }
}
