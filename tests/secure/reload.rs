//! Certificates that change on disk are used without a restart.

use std::path::Path;
use std::time::Duration;

use dragoman::otlp::Signal;

use crate::authority::{ALL_VERSIONS, Authority, swap};
use crate::client::{Client, sample};
use crate::rig::{Rig, Way, plan};
use crate::support::{BOTH, is_taken, send, service, tls, yaml};

/// Whether new connections of who trusts `authority` are let in, within a generous time.
async fn comes_to_trust(rig: &Rig, authority: &Authority) {
    let config = authority.client(None, ALL_VERSIONS, &["h2"]);
    let patience = async {
        for transport in BOTH {
            while !is_taken(&send(rig, transport, &config).await) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), patience).await.expect("the new certificate was never used");
}

async fn is_trusted(rig: &Rig, authority: &Authority) -> bool {
    let config = authority.client(None, ALL_VERSIONS, &["h2"]);
    is_taken(&send(rig, BOTH[0], &config).await) && is_taken(&send(rig, BOTH[1], &config).await)
}

#[tokio::test]
async fn a_certificate_that_was_replaced_is_used_and_a_broken_one_is_not() {
    let (folder, old, new) = (tempfile::tempdir().unwrap(), Authority::new(), Authority::new());
    old.issue("localhost").write(folder.path());
    let rig = service(&tls(folder.path(), ""), &[]).await;
    assert!(is_trusted(&rig, &old).await);
    new.issue("localhost").write(folder.path());
    comes_to_trust(&rig, &new).await;
    assert!(!is_trusted(&rig, &old).await);
    // A certificate without its key, and then something else entirely: many looks later the good one is in use.
    std::fs::write(folder.path().join("tls.crt"), old.issue("localhost").certificate).unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(is_trusted(&rig, &new).await, "a certificate whose key is missing");
    std::fs::write(folder.path().join("tls.crt"), "hunter2").unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(is_trusted(&rig, &new).await, "no certificate at all");
    std::fs::remove_file(folder.path().join("tls.key")).unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(is_trusted(&rig, &new).await, "no file at all");
    old.issue("localhost").write(folder.path());
    comes_to_trust(&rig, &old).await;
}

#[tokio::test]
async fn a_swapped_link_is_a_changed_certificate() {
    let (folder, old, new) = (tempfile::tempdir().unwrap(), Authority::new(), Authority::new());
    for (version, authority) in [("v1", &old), ("v2", &new)] {
        std::fs::create_dir(folder.path().join(version)).unwrap();
        authority.issue("localhost").write(&folder.path().join(version));
    }
    swap(folder.path(), "v1");
    let rig = service(&tls(&folder.path().join("current"), ""), &[]).await;
    assert!(is_trusted(&rig, &old).await);
    swap(folder.path(), "v2");
    comes_to_trust(&rig, &new).await;
}

/// Who was let in is let in no longer once its authority is gone from the file, also with a session
/// of before.
#[tokio::test]
async fn the_clients_authorities_follow_their_file() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let (before, after) = (Authority::new(), Authority::new());
    authority.issue("localhost").write(folder.path());
    let file = folder.path().join("clients.crt");
    std::fs::write(&file, before.pem()).unwrap();
    let rig = service(&tls(folder.path(), &format!("client_ca_file: {}", file.display())), &[]).await;
    let client = |of: &Authority| authority.client(Some(&of.issue("client")), ALL_VERSIONS, &["h2"]);
    let (first, second) = (client(&before), client(&after));
    assert!(is_taken(&send(&rig, BOTH[0], &first).await) && !is_taken(&send(&rig, BOTH[0], &second).await));
    std::fs::write(&file, after.pem()).unwrap();
    let patience = async {
        while !is_taken(&send(&rig, BOTH[0], &second).await) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), patience).await.unwrap();
    assert!(!is_taken(&send(&rig, BOTH[0], &first).await));
}

#[tokio::test]
async fn an_interval_of_zero_is_never() {
    let (folder, old, new) = (tempfile::tempdir().unwrap(), Authority::new(), Authority::new());
    old.issue("localhost").write(folder.path());
    let settings = tls(folder.path(), "").replace("20ms", "0s");
    let rig = service(&settings, &[]).await;
    new.issue("localhost").write(Path::new(folder.path()));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(is_trusted(&rig, &old).await);
}

/// Another configuration: a listener keeps its place, and speaks TLS, or with another certificate, from
/// then on; what cannot be read changes nothing.
#[tokio::test]
async fn a_listener_begins_to_speak_tls_in_its_place() {
    let authorities = [Authority::new(), Authority::new()];
    let folders = authorities.each_ref().map(|authority| {
        let folder = tempfile::tempdir().unwrap();
        authority.issue("localhost").write(folder.path());
        folder
    });
    let patience = Duration::from_secs(20);
    let mut rig = service("", &[]).await;
    rig.must_take(Way::Protobuf, Signal::Traces, sample(Signal::Traces)).await;
    let addresses: Vec<_> = rig.running.addresses().iter().map(|address| address.address).collect();
    for (authority, folder) in authorities.iter().zip(&folders) {
        rig.running.reload(plan(&yaml(&tls(folder.path(), ""), &[])), patience).await.unwrap();
        let now: Vec<_> = rig.running.addresses().iter().map(|address| address.address).collect();
        assert_eq!(now, addresses);
        assert!(is_trusted(&rig, authority).await);
    }
    assert!(!is_trusted(&rig, &authorities[0]).await);
    let missing = folders[0].path().join("missing");
    let error = rig.running.reload(plan(&yaml(&tls(&missing, ""), &[])), patience).await.unwrap_err();
    assert!(error.to_string().contains("receivers.otlp.protocols.grpc.tls.cert_file"), "{error}");
    assert!(is_trusted(&rig, &authorities[1]).await, "what was in force stays");
    rig.running.reload(plan(&yaml("", &[])), patience).await.unwrap();
    rig.must_take(Way::Protobuf, Signal::Traces, sample(Signal::Traces)).await;
}

/// Who is on a connection that was open before somebody asked is asked like everybody else.
#[tokio::test]
async fn an_open_connection_is_no_way_around_credentials() {
    let mut rig = service("", &[]).await;
    let mut http = Client::http1(rig.address("OTLP HTTP")).await;
    let mut grpc = Client::http2(rig.address("OTLP gRPC")).await;
    let (path, media_type) = (Signal::Traces.http_path(), "application/x-protobuf");
    let body = sample(Signal::Traces);
    assert_eq!(http.post(path, media_type, "", body.clone()).await.status, 200);
    assert_eq!(grpc.call(Signal::Traces, &body).await.header("grpc-status"), "0");
    let guarded = yaml("auth: { authenticator: bearertokenauth }", &[("bearertokenauth", "{ token: secret }")]);
    rig.running.reload(plan(&guarded), Duration::from_secs(20)).await.unwrap();
    assert_eq!(http.post(path, media_type, "", body.clone()).await.status, 401);
    assert_eq!(grpc.call(Signal::Traces, &body).await.header("grpc-status"), "16");
    assert!(rig.running.addresses().iter().all(|address| address.is_guarded || address.what == "self-metrics"));
}
