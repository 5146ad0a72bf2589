//! A test in a network of its own that has nothing but loopback, for servers that listen on more
//! than they are told to (Phoenix' gRPC port is `[::]` whatever its host) or call home.
//!
//! The test runs itself once more as the first process of new namespaces (`unshare`, of
//! util-linux). When it ends, so does every process it started, whatever they do with signals:
//! MLflow's job runners outlive theirs. A machine that has no namespaces fails the test.

use std::process::Command;

/// Set where the test runs within.
const WITHIN: &str = "DRAGOMAN_REAL_ISOLATED";

/// What a network, a process tree and `/proc` of one's own need; `/proc` because both servers look
/// at processes by their ids.
const NAMESPACES: [&str; 5] = ["--net", "--pid", "--fork", "--kill-child", "--mount-proc"];

/// Runs `body`, which is all of the test `name` (`module::function`), in namespaces of its own.
/// Its `TMPDIR` is removed after all of its processes have ended.
pub(crate) fn isolated(name: &str, body: impl FnOnce()) {
    if std::env::var_os(WITHIN).is_some() {
        return body();
    }
    let folder = tempfile::tempdir().unwrap();
    let output = unshare()
        .args(["sh", "-c", "ip link set lo up && exec \"$@\"", "sh"])
        .arg(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(WITHIN, "1")
        .env("TMPDIR", folder.path())
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    // With a wrong name nothing would have run, and nothing failed.
    let has_run = said.contains("test result: ok. 1 passed");
    assert!(output.status.success() && has_run, "{name} in a network of its own: {}\n{said}", output.status);
    println!("{said}");
}

/// The command that makes the namespaces: as root directly, where that is allowed, else by way of
/// a user namespace.
fn unshare() -> Command {
    let mut refusals = Vec::new();
    for user in [&[][..], &["--map-root-user"]] {
        let mut command = Command::new("unshare");
        command.args(user).args(NAMESPACES);
        let tried =
            Command::new("unshare").args(user).args(NAMESPACES).args(["ip", "link", "set", "lo", "up"]).output();
        match tried {
            Ok(output) if output.status.success() => return command,
            Ok(output) => refusals.push(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => refusals.push(error.to_string()),
        }
    }
    panic!(
        "this test needs a network namespace of its own, and this machine gives none to `unshare {}`: as it is: {}; \
         with --map-root-user: {}. It needs util-linux' unshare, iproute2's ip, and root, or user namespaces \
         (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone)",
        NAMESPACES.join(" "),
        refusals[0],
        refusals[1]
    );
}
