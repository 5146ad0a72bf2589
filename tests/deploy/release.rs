//! What `deploy/release.sh binary docs sbom archive rootfs image` has built: small, static, complete, and in
//! need of nothing. `.ci/run` runs it before; these tests look only.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::{checked_by_schema, printed, root, tools};

/// Bytes; what the image may weigh.
const MAX_SIZE: u64 = 15_000_000;

fn target() -> String {
    let own = std::env::var("DRAGOMAN_TARGET").ok();
    own.unwrap_or_else(|| {
        let version = printed(Command::new("rustc").arg("-vV"));
        version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
    })
}

fn name() -> String {
    format!("dragoman-{}-{}", env!("CARGO_PKG_VERSION"), target())
}

/// A file or folder that the script has built.
fn built(path: &str) -> PathBuf {
    let path = root().join("target").join(path);
    assert!(path.exists(), "there is no {path:?}; run `deploy/release.sh binary docs sbom archive rootfs image`");
    path
}

/// A file of the archive.
fn unpacked(file: &str) -> PathBuf {
    built("release-files").join(name()).join(file)
}

#[test]
fn the_binary_is_small_and_static_and_tells_no_paths() {
    let binary = unpacked("dragoman");
    let size = std::fs::metadata(&binary).unwrap().len();
    assert!(size < MAX_SIZE, "{size} bytes");
    let headers = printed(Command::new("readelf").args(["-ld"]).arg(&binary));
    assert!(headers.contains("LOAD") && !headers.contains("INTERP") && !headers.contains("(NEEDED)"), "{headers}");
    let content = std::fs::read(&binary).unwrap();
    let contains = |text: &str| content.windows(text.len()).any(|window| window == text.as_bytes());
    // What panics name their place with is there, and not where it was built.
    assert!(contains("/dragoman/src/") || contains("src/cli/run.rs"));
    for folder in [root().to_str().unwrap().to_owned() + "/src", std::env::var("HOME").unwrap() + "/.cargo"] {
        assert!(!contains(&folder), "{folder}");
    }
}

#[test]
fn the_files_of_the_image_are_all_it_needs() {
    let rootfs = built("dist-image/root");
    let said = printed(Command::new("python3").arg("tests/deploy/empty_root.py").arg(rootfs));
    assert!(said.contains("all it needs"), "{said}");
}

/// Reads the archive that `docker load` would take.
#[test]
fn the_image_is_what_the_dockerfile_says() {
    let archive = built("release-files").join(format!("{}.image.tar", name()));
    let size = std::fs::metadata(&archive).unwrap().len();
    assert!(size < MAX_SIZE, "{size} bytes");
    let of = |member: &str| printed(Command::new("tar").arg("-xOf").arg(&archive).arg(member));
    let manifest: Value = serde_json::from_str(&of("manifest.json")).unwrap();
    assert_eq!(
        manifest[0]["RepoTags"][0].as_str().unwrap().rsplit('/').next().unwrap(),
        format!("dragoman:{}", env!("CARGO_PKG_VERSION"))
    );
    let image: Value = serde_json::from_str(&of(manifest[0]["Config"].as_str().unwrap())).unwrap();
    let config = &image["config"];
    assert_eq!(config["User"], "10001:10001");
    assert_eq!(config["Entrypoint"], serde_json::json!(["/dragoman"]));
    assert_eq!(config["Cmd"], serde_json::json!(["--config", "/etc/dragoman/config.yaml"]));
    let check = serde_json::json!(["CMD", "/dragoman", "healthcheck", "--config", "/etc/dragoman/config.yaml"]);
    assert_eq!(config["Healthcheck"]["Test"], check);
    assert_eq!(config["Labels"]["org.opencontainers.image.version"], env!("CARGO_PKG_VERSION"));
    let ports: BTreeSet<_> = config["ExposedPorts"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(ports, BTreeSet::from(["4317/tcp", "4318/tcp", "8888/tcp", "9464/tcp", "13133/tcp"]));

    let folder = tempfile::tempdir().unwrap();
    printed(Command::new("tar").arg("-xf").arg(&archive).arg("-C").arg(folder.path()));
    let mut files = BTreeSet::new();
    let mut owners = BTreeSet::new();
    for layer in manifest[0]["Layers"].as_array().unwrap() {
        let layer = folder.path().join(layer.as_str().unwrap());
        for line in printed(Command::new("tar").args(["--numeric-owner", "-tvf"]).arg(layer)).lines() {
            let fields: Vec<_> = line.split_whitespace().collect();
            let path = fields[5].trim_matches('/').to_owned();
            if fields[0].starts_with('-') {
                files.insert(path.clone());
            }
            if path == "var/lib/dragoman" {
                owners.insert(fields[1].to_owned());
            }
        }
    }
    let expected = [
        "dragoman",
        "etc/dragoman/config.yaml",
        "etc/nsswitch.conf",
        "etc/passwd",
        "etc/ssl/certs/ca-certificates.crt",
    ];
    assert_eq!(files.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    assert_eq!(owners, BTreeSet::from(["10001/10001".to_owned()]), "whose the folder of queues is");
}

/// Every crate that is linked for this target, and none that is not.
#[test]
fn the_list_of_crates_is_valid_and_complete() {
    let file = unpacked("dragoman.cdx.json");
    let (is_valid, said) = checked_by_schema(&["cyclonedx", file.to_str().unwrap()], "");
    assert!(is_valid, "{said}");
    let list = std::fs::read_to_string(file).unwrap();
    assert!(!list.contains(root().to_str().unwrap()), "it says where the sources lay");
    let list: Value = serde_json::from_str(&list).unwrap();
    let listed: BTreeSet<_> = list["components"]
        .as_array()
        .unwrap()
        .iter()
        .map(|component| {
            assert!(component["purl"].as_str().unwrap().starts_with("pkg:cargo/"), "{component}");
            assert!(component["licenses"].is_array(), "{component} has no licence");
            format!("{} {}", component["name"].as_str().unwrap(), component["version"].as_str().unwrap())
        })
        .collect();
    let tree = |edges: &str| {
        let mut command = Command::new(env!("CARGO"));
        command.args(["tree", "--locked", "--prefix=none", "--format={p}", "--edges", edges, "--target"]).arg(target());
        printed(&mut command)
            .lines()
            .map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ").replace(" v", " "))
            .filter(|package| !package.starts_with("dragoman "))
            .collect::<BTreeSet<_>>()
    };
    let linked = tree("normal,no-proc-macro");
    let built = tree("normal,build");
    assert!(linked.len() > 80, "{linked:?}");
    assert_eq!(linked.difference(&listed).collect::<Vec<_>>(), Vec::<&String>::new(), "in the binary, not in the list");
    // `cargo metadata`, from which the list is made, resolves what a feature only names (`zlib-rs?/...`), too.
    let named_only = |package: &&String| package.starts_with("zlib-rs ");
    let extra: Vec<_> = listed.difference(&built).filter(|package| !named_only(package)).collect();
    assert_eq!(extra, Vec::<&String>::new(), "in the list for no reason");
    assert_eq!(list["metadata"]["component"]["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn the_archive_is_whole() {
    let folder = built("release-files");
    printed(
        Command::new("sh")
            .args(["-c", "cd \"$0\" && sha256sum --check --strict \"$1\""])
            .arg(&folder)
            .arg(format!("{}.tar.gz.sha256", name())),
    );
    let listed = printed(Command::new("tar").arg("-tzf").arg(folder.join(format!("{}.tar.gz", name()))));
    let listed: BTreeSet<_> =
        listed.lines().map(|line| line.trim_start_matches(&name()).trim_start_matches('/')).collect();
    for file in [
        "dragoman",
        "dragoman.service",
        "dragoman.cdx.json",
        "config.example.yaml",
        "LICENSE",
        "README.md",
        "CHANGELOG.md",
        "completions/dragoman.bash",
        "completions/_dragoman",
        "completions/dragoman.fish",
        "man/dragoman.1",
        "man/dragoman-validate.1",
    ] {
        assert!(listed.contains(file), "{file} is not in {listed:?}");
    }
}

#[test]
fn completions_and_pages_know_every_command() {
    let help = printed(Command::new(unpacked("dragoman")).arg("--help"));
    let commands = help.split_once("Commands:\n").unwrap().1.split_once("\n\n").unwrap().0;
    let commands = commands.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let commands: Vec<_> = commands.map(|line| line.trim().split(' ').next().unwrap()).collect();
    assert!(commands.len() >= 6, "{commands:?}");
    for command in commands.iter().filter(|command| **command != "help") {
        assert!(unpacked(&format!("man/dragoman-{command}.1")).exists(), "{command}");
        for file in ["dragoman.bash", "_dragoman", "dragoman.fish"] {
            let script = std::fs::read_to_string(unpacked("completions").join(file)).unwrap();
            assert!(script.contains(command), "{file} does not know {command}");
        }
    }
}

#[test]
fn the_tool_that_lists_crates_is_the_pinned_one() {
    let version = printed(Command::new(tools().join("bin/cargo-cyclonedx")).args(["cyclonedx", "--version"]));
    assert!(
        std::fs::read_to_string(root().join("tests/deploy/install.sh"))
            .unwrap()
            .contains(version.trim().rsplit(' ').next().unwrap()),
        "{version}"
    );
}
