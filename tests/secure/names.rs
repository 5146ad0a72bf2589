//! What cannot work is said before anything is accepted: the setting, the file, and what to do; and of
//! names of extensions already by `validate`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dragoman::config::Source;
use dragoman::service::plan::Plan;
use dragoman::service::rehearsal::rehearse;
use dragoman::service::start::start;

use crate::authority::Authority;
use crate::rig::plan;
use crate::support::yaml;

/// What the start says, and `validate` as well; a start that succeeds fails the test.
async fn refused(yaml: &str) -> String {
    let rehearsed: Vec<_> = rehearse(&plan(yaml)).iter().map(ToString::to_string).collect();
    let started = start(plan(yaml), Duration::ZERO, Arc::new(|| Box::new(std::io::sink()))).await;
    match started {
        Ok(running) => panic!("it started: {:?}", running.addresses()),
        Err(error) => {
            let error = error.to_string();
            assert!(rehearsed.contains(&error), "{error} is not in {rehearsed:?}");
            error
        }
    }
}

#[tokio::test]
async fn files_that_cannot_be_used_end_the_start() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let (pair, other) = (authority.issue("localhost"), authority.issue("localhost"));
    pair.write(folder.path());
    let write = |name: &str, content: &str| std::fs::write(folder.path().join(name), content).unwrap();
    write("other.key", &other.key);
    write("empty", "");
    write("words", "hunter2");
    write("half", &pair.key[..pair.key.len() / 2]);
    write("locked", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nhunter2=\n-----END ENCRYPTED PRIVATE KEY-----\n");
    write("damaged", "-----BEGIN CERTIFICATE-----\naHVudGVyMg==\n-----END CERTIFICATE-----\n");
    std::fs::create_dir(folder.path().join("folder")).unwrap();
    for (certificate, key, clients, said) in [
        (
            "missing",
            "tls.key",
            "",
            &["tls.cert_file", "missing\" cannot be read", "expected the certificate in PEM"][..],
        ),
        ("tls.crt", "missing", "", &["tls.key_file", "missing\" cannot be read", "private key in PEM"]),
        ("folder", "tls.key", "", &["tls.cert_file", "folder\" cannot be read: it is no file"]),
        ("empty", "tls.key", "", &["tls.cert_file", "empty\": it holds no certificate"]),
        ("tls.crt", "empty", "", &["tls.key_file", "empty\": it holds no private key"]),
        ("words", "tls.key", "", &["tls.cert_file", "words\": it holds no certificate"]),
        ("tls.crt", "half", "", &["tls.key_file", "half\": it breaks off"]),
        ("tls.crt", "locked", "", &["tls.key_file", "locked\": it has a passphrase", "without a passphrase"]),
        ("damaged", "tls.key", "", &["tls.cert_file", "damaged\": its first certificate cannot be used"]),
        ("tls.crt", "other.key", "", &["other.key\" does not belong to the certificate of tls.cert_file", "one pair"]),
        ("tls.key", "tls.crt", "", &["tls.cert_file", "it holds no certificate"]),
        (
            "tls.crt",
            "tls.key",
            "missing",
            &["tls.client_ca_file", "missing\" cannot be read", "certificate authorities"],
        ),
        ("tls.crt", "tls.key", "empty", &["tls.client_ca_file", "empty\": it holds no certificate"]),
    ] {
        let path = |name: &str| folder.path().join(name).display().to_string();
        let clients = if clients.is_empty() { String::new() } else { format!(", client_ca_file: {}", path(clients)) };
        let tls = format!("tls: {{ cert_file: {}, key_file: {}{clients} }}", path(certificate), path(key));
        let error = refused(&yaml(&tls, &[])).await;
        assert!(error.starts_with("receivers.otlp.protocols.grpc.tls.") || error.contains(" tls."), "{error}");
        assert!(error.contains("receivers.otlp.protocols.grpc."), "{error}");
        assert!(said.iter().all(|said| error.contains(said)) && !error.contains("hunter2"), "{said:?}: {error}");
        // Of an exporter the same is said.
        if clients.is_empty() {
            let error =
                exporter_refused(&format!("{{ cert_file: {}, key_file: {} }}", path(certificate), path(key))).await;
            assert!(
                error.starts_with("exporters.otlp_grpc: ") && said.iter().all(|said| error.contains(said)),
                "{error}"
            );
        }
    }
}

/// Every file is looked at, whatever is wrong with others; where all is right nothing is said.
#[tokio::test]
async fn a_rehearsal_says_everything_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    Authority::new().issue("localhost").write(folder.path());
    let good = folder.path().display();
    let with = |file: &str| {
        let tls = format!("tls: {{ cert_file: {file}.crt, key_file: {file}.key }}");
        let more =
            format!("prometheus: {{ endpoint: '127.0.0.1:0', {tls} }}, otlp_http: {{ endpoint: 'https://a', {tls} }}");
        yaml(&tls, &[("health_check", &format!("{{ endpoint: '127.0.0.1:0', {tls} }}"))])
            .replace("debug: {}", &format!("debug: {{}}, {more}"))
            .replace("exporters: [debug]", "exporters: [debug, otlp_http]")
            .replacen(
                "metrics: { receivers: [otlp], exporters: [",
                "metrics: { receivers: [otlp], exporters: [prometheus, ",
                1,
            )
    };
    assert!(rehearse(&plan(&with(&format!("{good}/tls")))).is_empty());
    let said: Vec<_> = rehearse(&plan(&with("/nowhere/tls"))).iter().map(ToString::to_string).collect();
    let sections = [
        "receivers.otlp.protocols.grpc.tls",
        "receivers.otlp.protocols.http.tls",
        "extensions.health_check.tls",
        "exporters.prometheus.tls",
        "exporters.otlp_http: tls",
    ];
    assert_eq!(said.len(), sections.len(), "{said:?}");
    for section in sections {
        let expected = format!("{section}.cert_file \"/nowhere/tls.crt\" cannot be read: ");
        assert!(said.iter().any(|said| said.starts_with(&expected)), "{section}: {said:?}");
    }
}

async fn exporter_refused(tls: &str) -> String {
    let yaml = yaml("", &[]).replace(
        "exporters: { debug: {} }",
        &format!("exporters: {{ debug: {{}}, otlp_grpc: {{ endpoint: 'localhost:1', tls: {tls} }} }}"),
    );
    refused(&yaml.replacen("exporters: [debug]", "exporters: [debug, otlp_grpc]", 1)).await
}

#[tokio::test]
async fn nothing_is_accepted_beside_a_certificate_that_cannot_be_used() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let free: SocketAddr = taken.local_addr().unwrap();
    drop(taken);
    let yaml = yaml("", &[]).replacen(
        "http: { endpoint: '127.0.0.1:0',  }",
        "http: { endpoint: '127.0.0.1:0', tls: { cert_file: /nowhere/tls.crt, key_file: /nowhere/tls.key } }",
        1,
    );
    let error = refused(&yaml.replacen("'127.0.0.1:0'", &format!("'{free}'"), 1)).await;
    assert!(error.contains("receivers.otlp.protocols.http.tls.cert_file \"/nowhere/tls.crt\""), "{error}");
    assert!(tokio::net::TcpStream::connect(free).await.is_err(), "the other listener is open");
}

#[tokio::test]
async fn extensions_that_cannot_work_end_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let (empty, blank) = (file("empty", ""), file("blank", "\n  \n"));
    let (odd, md5) = (file("odd", "hunter2\u{e9}\n"), file("md5", "a:b\nc:$apr1$hunter2\n"));
    for (id, section, said) in [
        ("bearertokenauth", "{ filename: /nowhere/tokens }".to_owned(), "filename \"/nowhere/tokens\" cannot be read"),
        ("bearertokenauth", format!("{{ filename: {empty} }}"), "it holds no token; expected a token, or one a line"),
        ("bearertokenauth", format!("{{ filename: {blank} }}"), "it holds no token"),
        ("bearertokenauth", format!("{{ filename: {odd} }}"), "a character that no token can have"),
        ("bearertokenauth", "{ token: \"hunter2\\n\" }".to_owned(), "a character that no token can have"),
        (
            "basicauth",
            "{ htpasswd: { file: /nowhere/users } }".to_owned(),
            "htpasswd.file \"/nowhere/users\" cannot be read",
        ),
        ("basicauth", format!("{{ htpasswd: {{ file: {empty} }} }}"), "it names nobody"),
        ("basicauth", format!("{{ htpasswd: {{ file: {md5} }} }}"), "line 2: MD5 is not supported"),
        ("basicauth", "{ htpasswd: { inline: hunter2 } }".to_owned(), "line 1: expected name:password"),
        ("basicauth", "{ client_auth: { username: 'a:hunter2' } }".to_owned(), "has a colon"),
        ("basicauth", "{ client_auth: { password_file: /nowhere/p } }".to_owned(), "password_file \"/nowhere/p\""),
    ] {
        let error = refused(&yaml("", &[(id, &section)])).await;
        assert!(error.starts_with(&format!("extensions.{id}.")) && error.contains(said), "{section}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

fn problems(yaml: &str) -> String {
    match Plan::load(&[Source::Yaml(yaml.to_owned())], &|_| None) {
        // That a configuration only forwards is of no interest here.
        Ok((_, warnings)) => warnings
            .iter()
            .map(|warning| format!("warning {warning}\n"))
            .filter(|warning| !warning.contains("names the genai processor"))
            .collect(),
        Err(problems) => problems.to_string(),
    }
}

#[test]
fn a_name_that_leads_nowhere_is_a_mistake() {
    let auth = "auth: { authenticator: bearertokenauth }";
    let token = ("bearertokenauth", "{ token: a }");
    assert_eq!(problems(&yaml(auth, &[token])), "");
    for (protocol, extensions, said) in [
        (auth, &[][..], "is not defined under extensions"),
        ("auth: { authenticator: bearertoken }", &[token], "did you mean bearertokenauth?"),
        ("auth: {}", &[token], "auth.authenticator: is missing"),
        ("auth: { authenticator: health_check }", &[("health_check", "{}")], "authenticates nobody"),
        (
            "auth: { authenticator: basicauth }",
            &[("basicauth", "{ client_auth: { username: a, password: b } }")],
            "has client_auth and lets nobody in",
        ),
        ("", &[("bearertokenauth", "{}")], "has no token; expected token, tokens or filename"),
        ("", &[("basicauth", "{}")], "says nothing; expected htpasswd"),
        ("", &[("basicauth", "{ htpasswd: { inline: 'a:b' }, client_auth: {} }")], "has htpasswd and client_auth"),
        ("tls: {}", &[], "has no certificate; expected cert_file and key_file"),
        ("tls: { cert_file: a }", &[], "has a certificate without its other half; expected key_file as well"),
        ("tls: { key_pem: a }", &[], "has a key without its other half; expected cert_file as well"),
        ("tls: { cert_file: a, cert_pem: b, key_file: c }", &[], "has cert_file and cert_pem; expected one of the two"),
        ("tls: { cert_file: a, key_file: b, min_version: '1.1' }", &[], "expected 1.2 or 1.3"),
        ("tls: { cert_file: a, key_file: b, min_version: '1.3', max_version: '1.2' }", &[], "min_version is above"),
        ("tls: { cert_file: a, key_file: b, ca_file: c }", &[], "client_ca_file is what"),
        ("tls: { cert_file: a, key_file: b, cipher_suites: [x] }", &[], "has no effect here: only strong ones"),
    ] {
        let found = problems(&yaml(protocol, extensions));
        assert!(found.contains(said), "{protocol} {extensions:?}: {found}");
    }
    // Defined, and not in service.extensions.
    let found = problems(&yaml(auth, &[token]).replace("extensions: [bearertokenauth]", "extensions: []"));
    assert!(
        found.contains("names bearertokenauth, which does not run; add bearertokenauth to service.extensions"),
        "{found}"
    );
}

#[test]
fn an_exporter_that_sends_credentials_in_plain_text_is_warned_about() {
    for (exporter, is_warned) in [
        ("otlp_http: { endpoint: 'http://a:1', auth: { authenticator: bearertokenauth } }", true),
        ("otlp_http: { endpoint: 'https://a:1', auth: { authenticator: bearertokenauth } }", false),
        ("otlp_grpc: { endpoint: 'a:1', auth: { authenticator: bearertokenauth } }", false),
        ("otlp_grpc: { endpoint: 'a:1', tls: { insecure: true }, auth: { authenticator: bearertokenauth } }", true),
    ] {
        let name = exporter.split(':').next().unwrap();
        let yaml = yaml("", &[("bearertokenauth", "{ token: a }")])
            .replace("exporters: { debug: {} }", &format!("exporters: {{ debug: {{}}, {exporter} }}"))
            .replacen("exporters: [debug]", &format!("exporters: [debug, {name}]"), 1);
        let found = problems(&yaml);
        assert_eq!(found.contains("sends credentials in plain text"), is_warned, "{exporter}: {found}");
    }
}
