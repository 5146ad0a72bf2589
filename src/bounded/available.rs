//! How much memory this process may use: the least of its control groups' limits and of the
//! machine's memory. What is made of it is decided by `processor::settings::memory_limiter`.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Files of the kernel are read up to this size; the list of mounts of a busy node is the longest.
const LONGEST: u64 = 1 << 20;

/// The memory that this process may use, in bytes; `None` where the system does not tell.
pub fn available() -> Option<u64> {
    below(Path::new("/"))
}

/// The same, with every path of the system below `root`.
fn below(root: &Path) -> Option<u64> {
    let machine = small_file(&root.join("proc/meminfo")).and_then(|text| machine_memory(&text));
    let groups = small_file(&root.join("proc/self/cgroup")).unwrap_or_default();
    let mounts = small_file(&root.join("proc/self/mountinfo")).unwrap_or_default();
    let limits = Hierarchy::ALL.into_iter().filter_map(|hierarchy| hierarchy.limit(root, &groups, &mounts));
    // Without a limit version 2 says `max`, and version 1 a number beyond the machine's memory.
    limits.chain(machine).min()
}

/// A version of the control groups. A machine may have both, and either may bound memory.
struct Hierarchy {
    /// The controllers' field of `/proc/self/cgroup` names this.
    controller: &'static str,
    filesystem: &'static str,
    /// One of the mount's options, if several hierarchies have this file system.
    option: &'static str,
    /// Where the limit stands.
    file: &'static str,
}

impl Hierarchy {
    const ALL: [Hierarchy; 2] = [
        Hierarchy { controller: "", filesystem: "cgroup2", option: "", file: "memory.max" },
        Hierarchy { controller: "memory", filesystem: "cgroup", option: "memory", file: "memory.limit_in_bytes" },
    ];

    /// The least limit of the process's group and of all groups above it that can be seen.
    fn limit(&self, root: &Path, groups: &str, mounts: &str) -> Option<u64> {
        let group = groups.lines().find_map(|line| self.group(line))?;
        let (visible, at) = mounts.lines().find_map(|line| self.mount(line))?;
        let top = root.join(at.trim_start_matches('/'));
        // What is mounted in a container may be the container's own group.
        let inside = group.strip_prefix(visible.trim_end_matches('/')).unwrap_or_default();
        let own = match inside.split('/').any(|step| step == "..") {
            true => top.clone(),
            false => top.join(inside.trim_start_matches('/')),
        };
        let upwards = own.ancestors().take_while(|folder| folder.starts_with(&top));
        upwards.filter_map(|folder| small_file(&folder.join(self.file))?.trim().parse().ok()).min()
    }

    /// `4:memory:/kubepods/pod1`, `0::/kubepods/pod1`
    fn group<'l>(&self, line: &'l str) -> Option<&'l str> {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, group) = (parts.next()?, parts.next()?, parts.next()?);
        controllers.split(',').any(|controller| controller == self.controller).then_some(group)
    }

    /// Of a line of `mountinfo`: which group is mounted, and where. See proc(5).
    fn mount<'l>(&self, line: &'l str) -> Option<(&'l str, &'l str)> {
        let (place, kind) = line.split_once(" - ")?;
        let mut place = place.split(' ').skip(3);
        let mut kind = kind.split(' ');
        let (filesystem, options) = (kind.next()?, kind.nth(1)?);
        let is_it = filesystem == self.filesystem
            && (self.option.is_empty() || options.split(',').any(|option| option == self.option));
        is_it.then_some((place.next()?, place.next()?))
    }
}

fn small_file(path: &Path) -> Option<String> {
    let mut text = String::new();
    File::open(path).ok()?.take(LONGEST).read_to_string(&mut text).ok()?;
    Some(text)
}

/// `MemTotal:  16318480 kB`
fn machine_memory(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const MACHINE: u64 = 16_318_480 * 1024;

    /// A system of these files.
    fn system(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let meminfo = [("proc/meminfo", "MemTotal:       16318480 kB\nMemFree: 1 kB\n")];
        for (path, content) in meminfo.iter().chain(files) {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        folder
    }

    const V2: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
    const V1: &str = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
                      32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                      35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";

    #[test]
    fn version_2_takes_the_least_of_the_own_group_and_those_above() {
        for (pod, container, expected) in [
            ("max\n", "536870912\n", 512 << 20),
            ("268435456\n", "536870912\n", 256 << 20),
            ("268435456\n", "max\n", 256 << 20),
            ("max\n", "max\n", MACHINE),
            ("max\n", "99999999999999\n", MACHINE),
        ] {
            let system = system(&[
                ("proc/self/cgroup", "0::/kubepods/pod1/c1\n"),
                ("proc/self/mountinfo", V2),
                ("sys/fs/cgroup/kubepods/pod1/memory.max", pod),
                ("sys/fs/cgroup/kubepods/pod1/c1/memory.max", container),
                ("sys/fs/cgroup/kubepods/other/memory.max", "1\n"),
            ]);
            assert_eq!(below(system.path()), Some(expected), "{pod} {container}");
        }
    }

    #[test]
    fn in_a_container_of_its_own_namespace_the_group_is_the_root() {
        for group in ["0::/\n", "0::/../../elsewhere\n"] {
            let system = system(&[
                ("proc/self/cgroup", group),
                ("proc/self/mountinfo", V2),
                ("sys/fs/cgroup/memory.max", "67108864\n"),
                ("elsewhere/memory.max", "1\n"),
            ]);
            assert_eq!(below(system.path()), Some(64 << 20), "{group}");
        }
    }

    #[test]
    fn version_1_says_no_limit_by_a_number_beyond_the_machine() {
        for (limit, expected) in [("9223372036854771712\n", MACHINE), ("134217728\n", 128 << 20)] {
            let system = system(&[
                ("proc/self/cgroup", "5:cpu,cpuacct:/a\n4:memory:/docker/abc\n0::/\n"),
                ("proc/self/mountinfo", V1),
                ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
                ("sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", limit),
            ]);
            assert_eq!(below(system.path()), Some(expected));
        }
    }

    #[test]
    fn version_1_in_a_container_shows_the_containers_group_alone() {
        let mounts = V1.replace("0:32 / ", "0:32 /docker/abc ");
        let system = system(&[
            ("proc/self/cgroup", "4:memory:/docker/abc\n"),
            ("proc/self/mountinfo", &mounts),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "33554432\n"),
        ]);
        assert_eq!(below(system.path()), Some(32 << 20));
    }

    #[test]
    fn without_groups_it_is_the_machine_and_without_that_unknown() {
        assert_eq!(below(system(&[]).path()), Some(MACHINE));
        assert_eq!(below(tempfile::tempdir().unwrap().path()), None);
        let garbage = system(&[("proc/self/cgroup", "x\n0\n::\n"), ("proc/self/mountinfo", "- - -\n\n - cgroup2\n")]);
        assert_eq!(below(garbage.path()), Some(MACHINE));
    }

    #[test]
    fn this_machine_tells() {
        assert!(available().unwrap() > 1 << 20);
    }
}
