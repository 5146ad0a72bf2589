//! Small bodies that become large: CVE-2024-36129 (GHSA-c74f-6mfw-mm4v), over both transports.

use bytes::Bytes;
use dragoman::otlp::Signal;
use flate2::{Compress, FlushCompress};
use http::Request;
use http_body_util::Full;

use crate::client::{Client, grpc_status, sample};
use crate::rig::{MIB, Setup, Target, frame};

/// What a bomb comes to.
const ZEROS: usize = 200 << 20;

/// What a process may hold more that gets one: the bomb itself, the first MiB that comes out of it (decision
/// 15), a decoder's window, and the pages of code that it is the first to run. What the idle process holds is
/// mostly its own code, which is another amount for every build and machine.
const MOST_GROWN: u64 = 6 * MIB;

/// A deflate stream of [`ZEROS`]: one block and its like, because making it takes longer than
/// reading it.
fn deflate_zeros() -> Vec<u8> {
    let mut block = Vec::with_capacity(1 << 16);
    // After a full flush the next block depends on nothing and begins with a byte.
    Compress::new(flate2::Compression::best(), false)
        .compress_vec(&vec![0; 1 << 20], &mut block, FlushCompress::Full)
        .unwrap();
    let mut stream = block.repeat(ZEROS >> 20);
    stream.extend([3, 0]);
    stream
}

/// One gzip member. Nobody comes as far as its checksum.
pub(crate) fn gzip() -> Vec<u8> {
    [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255][..], &deflate_zeros(), &[0; 8]].concat()
}

/// As many members, none of which is too large.
fn gzip_members() -> Vec<u8> {
    use std::io::Write;
    let mut member = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    member.write_all(&vec![0; 1 << 20]).unwrap();
    member.finish().unwrap().repeat(ZEROS >> 20)
}

fn zlib() -> Vec<u8> {
    [&[0x78, 0x9c][..], &deflate_zeros(), &[0; 4]].concat()
}

/// A zstd frame of blocks that say "128 KiB of this byte" (RFC 8878, section 3.1.1.2.2), with a
/// window of 2^`window_log` bytes.
fn zstd_frame(window_log: u8, zeros: usize) -> Vec<u8> {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0, (window_log - 10) << 3];
    for left in (0..zeros >> 17).rev() {
        let header = (1u32 << 17) << 3 | 1 << 1 | u32::from(left == 0);
        frame.extend(&header.to_le_bytes()[..3]);
        frame.push(0);
    }
    frame
}

fn zstd_frames() -> Vec<u8> {
    zstd_frame(20, 1 << 20).repeat(ZEROS >> 20)
}

fn bombs() -> [(&'static str, &'static str, Vec<u8>); 6] {
    [
        ("one gzip member", "gzip", gzip()),
        ("many gzip members", "gzip", gzip_members()),
        ("zlib", "deflate", zlib()),
        ("deflate without its frame", "deflate", deflate_zeros()),
        ("one zstd frame", "zstd", zstd_frame(20, ZEROS)),
        ("many zstd frames", "zstd", zstd_frames()),
    ]
}

async fn call(target: &Target, encoding: &str, body: Bytes) -> (i64, String) {
    let request = Request::post(Signal::Traces.grpc_path())
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-encoding", encoding);
    let mut client = Client::http2(target.dragoman.grpc).await;
    let answer = client.send(request.body(Full::new(body)).unwrap()).await;
    let (code, message, retry) = grpc_status(&answer);
    assert_eq!(retry, None, "it would only come again");
    (code, message)
}

/// One request to an idle process, a process each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_mebibytes_of_zeros_are_refused_within_six_more_than_idle() {
    for (name, encoding, bomb) in bombs() {
        assert!((bomb.len() as u64) < MIB, "{name} is sent as {} bytes", bomb.len());
        let target = Target::start(Setup::default());
        let refused = target.post("/v1/traces", "application/x-protobuf", &[("content-encoding", encoding)], &bomb);
        assert_eq!(refused.status, 413, "{name}");
        target.assert_grown_less_than(MOST_GROWN, &format!("{name} over HTTP"));
        target.assert_serves();

        let target = Target::start(Setup::default());
        let (code, message) = call(&target, encoding, frame(true, &bomb)).await;
        assert_eq!(code, tonic::Code::ResourceExhausted as i64, "{name}: {message}");
        target.assert_grown_less_than(MOST_GROWN, &format!("{name} over gRPC"));
        target.assert_serves();
    }
}

/// A bomb is not held up to the limit before it is known for one, so that many cost as little as one.
#[test]
fn many_bombs_at_a_time_are_not_many_times_the_limit() {
    const MANY: u64 = 32;
    let target = Target::start(Setup::default());
    let bomb = gzip();
    std::thread::scope(|scope| {
        for _ in 0..MANY {
            scope.spawn(|| {
                let headers = [("content-encoding", "gzip")];
                assert_eq!(target.post("/v1/traces", "application/x-protobuf", &headers, &bomb).status, 413);
            });
        }
    });
    // As many are worked on at once as there are processors, and each holds what one alone may hold. Each up
    // to the limit would be 640 MiB.
    let processors = std::thread::available_parallelism().unwrap().get() as u64;
    target.assert_grown_less_than((processors.min(MANY) + 2) * MOST_GROWN + MANY * bomb.len() as u64, "32 bombs");
    target.assert_serves();
}

/// A JSON body goes through another path after its decompression.
#[test]
fn a_bomb_of_json_is_refused_as_well() {
    let target = Target::start(Setup::default());
    let refused = target.post("/v1/logs", "application/json", &[("content-encoding", "gzip")], &gzip());
    assert_eq!(refused.status, 413);
    target.assert_grown_less_than(MOST_GROWN, "a bomb of JSON");
}

/// A window is memory that a decoder takes before it makes anything.
#[test]
fn a_zstd_frame_cannot_ask_for_a_huge_window() {
    let target = Target::start(Setup::default());
    for window_log in [26, 27, 31, 41] {
        let refused = target.post(
            "/v1/traces",
            "application/x-protobuf",
            &[("content-encoding", "zstd")],
            &zstd_frame(window_log, 1 << 17),
        );
        assert_eq!(refused.status, 400, "a window of 2^{window_log}");
    }
    target.assert_grown_less_than(MOST_GROWN, "a huge window");
    target.assert_serves();
}

/// Each encoding would be a decoder on top of the other.
#[test]
fn encodings_in_encodings_and_unknown_ones_are_refused_before_they_are_read() {
    let target = Target::start(Setup::default());
    for encoding in [
        "gzip, gzip",
        "gzip,zstd",
        "gzip, identity, deflate",
        "snappy",
        "x-snappy-framed",
        "lz4",
        "br",
        "compress",
        "*",
    ] {
        let refused = target.post("/v1/traces", "application/x-protobuf", &[("content-encoding", encoding)], &gzip());
        assert_eq!(refused.status, 415, "{encoding}");
    }
    let twice = [("content-encoding", "gzip"), ("content-encoding", "gzip")];
    assert_eq!(target.post("/v1/traces", "application/x-protobuf", &twice, &gzip()).status, 415);
    target.assert_grown_less_than(MOST_GROWN, "encodings in encodings");
}

/// A stream that says gzip and is not, in many ways; the process must outlive its decoders.
#[test]
fn corrupt_streams_are_refused_and_nothing_else() {
    let target = Target::start(Setup::default());
    let sample = sample(Signal::Traces);
    let encode = |encoding: &str| match encoding {
        "zstd" => zstd::stream::encode_all(&sample[..], 1).unwrap(),
        _ => {
            use std::io::Write;
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(&sample).unwrap();
            encoder.finish().unwrap()
        }
    };
    for encoding in ["gzip", "zstd"] {
        let whole = encode(encoding);
        let post = |body: &[u8]| {
            target.post("/v1/traces", "application/x-protobuf", &[("content-encoding", encoding)], body).status
        };
        assert_eq!(post(&whole), 200);
        for length in 1..whole.len() {
            assert_eq!(post(&whole[..length]), 400, "{encoding} cut to {length} of {}", whole.len());
        }
        for at in 0..whole.len() {
            let mut harmed = whole.clone();
            harmed[at] ^= 0x55;
            // What is not checked by a sum (a gzip header's time) may change.
            assert!([200, 400].contains(&post(&harmed)), "{encoding}, byte {at}");
        }
    }
    target.assert_serves();
}
