//! HTTP/2 frame by frame: floods that are cheap to send, and what each makes the server do.

use std::io::Write;
use std::net::TcpStream;

use dragoman::otlp::Signal;

use crate::client::sample;
use crate::rig::{MIB, Setup, Target, flood, frame as message, rest, wait};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// The most that any of these makes the process hold.
const MOST_GROWN: u64 = 20 * MIB;

/// A frame (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A header field that enters no table and is in no code (RFC 7541, section 6.2.2).
fn field(name: &str, value: &str) -> Vec<u8> {
    let text = |out: &mut Vec<u8>, text: &str| {
        // A length in a prefix of seven bits.
        match text.len() {
            length @ 0..127 => out.push(length as u8),
            length => {
                out.push(127);
                prost::encoding::encode_varint(length as u64 - 127, out);
            }
        }
        out.extend(text.bytes());
    };
    let mut out = vec![0];
    text(&mut out, name);
    text(&mut out, value);
    out
}

/// The head of a call.
fn head() -> Vec<u8> {
    let fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", Signal::Traces.grpc_path()),
        (":authority", "x"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    fields.iter().flat_map(|(name, value)| field(name, value)).collect()
}

fn call(stream: u32, body: &[u8]) -> Vec<u8> {
    [frame(HEADERS, END_HEADERS, stream, &head()), frame(DATA, END_STREAM, stream, body)].concat()
}

/// A connection after its preface, with these settings (identifier, value).
fn connect(target: &Target, settings: &[(u16, u32)]) -> TcpStream {
    let mut stream = target.connect(target.dragoman.grpc);
    let settings: Vec<u8> =
        settings.iter().flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat()).collect();
    let hello = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &frame(SETTINGS, 0, 0, &settings)[..]].concat();
    stream.write_all(&hello).unwrap();
    stream
}

/// Reads on and on, as a client does that wants its floods answered.
fn reader(stream: &TcpStream) -> std::thread::JoinHandle<Vec<u8>> {
    let mut stream = stream.try_clone().unwrap();
    std::thread::spawn(move || rest(&mut stream))
}

/// The kinds of frames in what came, with the error code of a GOAWAY or RST_STREAM.
fn frames(mut bytes: &[u8]) -> Vec<(u8, u32)> {
    let mut frames = Vec::new();
    while let Some((&[a, b, c, kind, _, _, _, _, _], rest)) = bytes.split_first_chunk::<9>() {
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        let Some((payload, after)) = rest.split_at_checked(length) else { break };
        let code = match kind {
            GOAWAY => payload.get(4..8),
            RST_STREAM => payload.get(..4),
            _ => None,
        };
        frames.push((kind, code.map_or(0, |code| u32::from_be_bytes(code.try_into().unwrap()))));
        bytes = after;
    }
    frames
}

/// Floods a connection of its own whose answers are read; how much was taken before it was closed.
fn flooded(target: &Target, before: &[u8], chunk: &[u8], most: u64) -> (u64, Vec<(u8, u32)>) {
    let mut stream = connect(target, &[]);
    let reader = reader(&stream);
    drop(stream.write_all(before));
    let written = flood(&mut stream, chunk, most);
    // Nothing more comes; a server that took it all now ends the connection in good order.
    stream.shutdown(std::net::Shutdown::Both).ok();
    (written, frames(&reader.join().unwrap()))
}

fn assert_unharmed(target: &Target, what: &str) {
    target.assert_grown_less_than(MOST_GROWN, what);
    target.assert_serves();
}

/// VU#421644: CVE-2024-27316, CVE-2024-28182, CVE-2023-45288 and others.
#[test]
fn a_flood_of_continuations_is_cut_off() {
    let target = Target::start(Setup::default());
    let begun = frame(HEADERS, 0, 1, &head());
    let fields = field("x", &"y".repeat(100)).repeat(100);
    let full = frame(CONTINUATION, 0, 1, &fields).repeat(10);
    let empty = frame(CONTINUATION, 0, 1, &[]).repeat(1000);
    for (what, chunk) in [("full", full), ("empty", empty)] {
        let (taken, _) = flooded(&target, &begun, &chunk, 256 * MIB);
        assert!(taken < 32 * MIB, "{taken} bytes of {what} continuations were taken");
        assert_unharmed(&target, what);
    }
}

/// CVE-2023-44487: calls that are reset as soon as they are made.
#[test]
fn a_flood_of_calls_that_are_reset_is_cut_off_or_costs_nothing() {
    let target = Target::start(Setup::default());
    let mut stream = connect(&target, &[]);
    let reader = reader(&stream);
    let mut taken = 0;
    for id in (1..400_000).step_by(2) {
        let reset = frame(RST_STREAM, 0, id, &8u32.to_be_bytes());
        let call = [frame(HEADERS, END_HEADERS, id, &head()), reset].concat();
        if stream.write_all(&call).is_err() {
            break;
        }
        taken += 1;
    }
    stream.shutdown(std::net::Shutdown::Both).ok();
    println!("{taken} calls, then {:?}", frames(&reader.join().unwrap()).last());
    assert_unharmed(&target, "rapid reset");
}

/// CVE-2025-8671: calls that make the server reset them, by a window update of nothing.
#[test]
fn a_flood_of_calls_that_the_server_must_reset_is_cut_off_or_costs_nothing() {
    let target = Target::start(Setup::default());
    let mut stream = connect(&target, &[]);
    let reader = reader(&stream);
    for id in (1..400_000).step_by(2) {
        let wrong = frame(WINDOW_UPDATE, 0, id, &0u32.to_be_bytes());
        if stream.write_all(&[frame(HEADERS, END_HEADERS, id, &head()), wrong].concat()).is_err() {
            break;
        }
    }
    stream.shutdown(std::net::Shutdown::Both).ok();
    println!("{:?}", frames(&reader.join().unwrap()).last());
    assert_unharmed(&target, "provoked resets");
}

/// CVE-2019-9512, CVE-2019-9515, CVE-2019-9518: frames that must be answered, or that carry nothing.
#[test]
fn floods_of_pings_settings_and_empty_frames_are_borne() {
    let target = Target::start(Setup::default());
    let floods = [
        ("pings", vec![], frame(PING, 0, 0, &[0; 8])),
        ("settings", vec![], frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 255, 255])),
        ("empty data", frame(HEADERS, END_HEADERS, 1, &head()), frame(DATA, 0, 1, &[])),
        ("unknown frames", vec![], frame(77, 0, 0, &[0; 64])),
        ("priorities", vec![], frame(2, 0, 1, &[0, 0, 0, 0, 16])),
    ];
    for (what, before, chunk) in &floods {
        // Whose answers are read, and then not.
        flooded(&target, before, &chunk.repeat(200), 8 * MIB);
        let mut stream = connect(&target, &[]);
        stream.set_write_timeout(Some(std::time::Duration::from_millis(500))).unwrap();
        drop(stream.write_all(before));
        flood(&mut stream, &chunk.repeat(200), 8 * MIB);
        assert_unharmed(&target, what);
    }
}

/// CVE-2016-1544: one large field in the table, named again and again by one byte.
#[test]
fn a_bomb_of_table_entries_is_refused() {
    let target = Target::start(Setup::default());
    let mut large = field("x", &"y".repeat(3500));
    // With indexing.
    large[0] = 0x40;
    // The newest entry of the dynamic table: 62.
    let head = [head(), large, vec![0x80 | 62; 8000]].concat();
    let mut stream = connect(&target, &[]);
    let reader = reader(&stream);
    for id in (1..2000).step_by(2) {
        if stream.write_all(&frame(HEADERS, END_HEADERS | END_STREAM, id, &head)).is_err() {
            break;
        }
    }
    stream.shutdown(std::net::Shutdown::Both).ok();
    drop(reader.join().unwrap());
    assert_unharmed(&target, "table entries");
}

/// A client whose window is shut: answers wait, as many as streams are allowed, and then it goes.
#[test]
fn a_client_that_opens_no_window_is_cut_off() {
    let target = Target::start(Setup {
        protocols: "read_header_timeout: 300ms, idle_timeout: 300ms, read_timeout: 300ms",
        ..Setup::default()
    });
    let body = message(false, &sample(Signal::Traces));
    let mut came = Vec::new();
    let is_told = wait(|| {
        // SETTINGS_INITIAL_WINDOW_SIZE
        let mut stream = connect(&target, &[(4, 0)]);
        for id in (1..1000).step_by(2) {
            if stream.write_all(&call(id, &body)).is_err() {
                break;
            }
        }
        // Returns only if the server closes. It does so without a word if a busy machine holds up the preface.
        came = frames(&rest(&mut stream));
        came.iter().any(|(kind, _)| *kind == GOAWAY)
    });
    assert!(is_told, "{came:?}");
    assert_unharmed(&target, "a shut window");
}

/// Every stream announces a message of the largest size and sends none of it.
#[test]
fn announced_lengths_are_not_memory() {
    let target = Target::start(Setup::default());
    let mut streams = Vec::new();
    for _ in 0..10 {
        let mut stream = connect(&target, &[]);
        for id in (1..200).step_by(2) {
            let announced = [&[0][..], &(20u32 << 20).to_be_bytes(), b"x"].concat();
            stream
                .write_all(&[frame(HEADERS, END_HEADERS, id, &head()), frame(DATA, 0, id, &announced)].concat())
                .unwrap();
        }
        streams.push(stream);
    }
    assert_unharmed(&target, "1,000 announced messages of 20 MiB");
    let each = target.grown() / 1000;
    assert!(each < 32 << 10, "{each} bytes a call");
}

/// Lengths that lie, in the frame's way and in HTTP's. None of it is taken for a request.
#[test]
fn lengths_that_lie_are_refused() {
    let target = Target::start(Setup::default());
    let sample = sample(Signal::Traces);
    let lying = |length: u32, flag: u8| [&[flag][..], &length.to_be_bytes(), &sample].concat();
    let length = sample.len() as u32;
    for body in [
        lying(u32::MAX, 0),
        lying(length + 1, 0),
        lying(length - 1, 0),
        lying(0, 0),
        lying(length, 1),
        lying(length, 2),
        lying(length, 255),
        message(false, &sample).repeat(2),
        message(false, &sample)[..4].to_vec(),
        vec![],
    ] {
        let mut stream = connect(&target, &[]);
        stream.write_all(&call(1, &body)).unwrap();
        let came = until_end(&mut stream);
        let text = String::from_utf8_lossy(&came);
        assert!(!text.contains("grpc-status0") && !came.is_empty(), "{text}");
    }
    // Content-Length says more, or less, than the frames hold (RFC 9113, section 8.1.1).
    for announced in [length + 4, length + 6] {
        let head = [head(), field("content-length", &announced.to_string())].concat();
        let mut stream = connect(&target, &[]);
        let body = message(false, &sample);
        stream.write_all(&[frame(HEADERS, END_HEADERS, 1, &head), frame(DATA, END_STREAM, 1, &body)].concat()).unwrap();
        let came = frames(&until_end(&mut stream));
        assert!(came.iter().any(|(kind, code)| *kind == RST_STREAM && *code == 1), "{came:?}");
    }
    let page = target.own_metrics();
    assert_eq!(crate::rig::value(&page, &["otelcol_receiver_accepted_spans", "grpc"]), 0.0, "{page}");
    target.assert_serves();
}

/// What comes until the one call is answered or reset: a PING behind it is answered after it.
fn until_end(stream: &mut TcpStream) -> Vec<u8> {
    use std::io::Read;
    let (mut all, mut chunk) = (Vec::new(), [0; 4096]);
    let ends = |all: &[u8]| {
        let mut rest = all;
        while let Some((&[a, b, c, kind, flags, _, _, _, id], after)) = rest.split_first_chunk::<9>() {
            if [kind == RST_STREAM, kind == GOAWAY, id == 1 && kind <= HEADERS && flags & END_STREAM != 0]
                .contains(&true)
            {
                return true;
            }
            rest = after.get(u32::from_be_bytes([0, a, b, c]) as usize..).unwrap_or_default();
        }
        false
    };
    while !ends(&all) {
        match stream.read(&mut chunk).unwrap() {
            0 => break,
            read => all.extend_from_slice(&chunk[..read]),
        }
    }
    all
}
