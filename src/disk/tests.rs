use std::path::PathBuf;
use std::sync::Mutex;

use super::fault::{Fault, Op, arm, disarm};
use super::*;

/// Faults are the process's own, so tests with faults go one after the other.
static ALONE: Mutex<()> = Mutex::new(());

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("sockudo-disk-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn replace(folder: &Path, text: &[u8]) -> Result<(), Failed> {
    let mut fresh = Fresh::create(&folder.join("beside"), true)?;
    fresh.write(text)?;
    fresh.write_at(b"N", 0)?;
    assert_eq!(fresh.len(), text.len() as u64);
    fresh.settle(&folder.join("file"))
}

/// Rows 7 and 13 of the faults: whatever fails, the old file or the new one is there, and nothing beside it.
#[test]
fn a_step_that_fails_leaves_the_old_file() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let folder = folder("steps");
    std::fs::write(folder.join("file"), b"old").expect("written");
    for (op, after, step) in [
        (Op::Create, 0, Step::Create),
        (Op::Write, 0, Step::Write),
        (Op::Write, 1, Step::Write),
        (Op::Sync, 0, Step::Sync),
        (Op::Rename, 0, Step::Rename),
    ] {
        arm(op, after, Fault::Error(libc::ENOSPC));
        let failed = replace(&folder, b"new").expect_err("a fault");
        disarm();
        assert_eq!((failed.step, failed.error.raw_os_error()), (step, Some(libc::ENOSPC)));
        assert_eq!(std::fs::read(folder.join("file")).expect("it is there"), b"old");
        assert!(!folder.join("beside").exists(), "{op:?}");
    }
    arm(Op::SyncDirectory, 0, Fault::Error(libc::EIO));
    assert_eq!(replace(&folder, b"new").expect_err("a fault").step, Step::SyncDirectory);
    disarm();
    replace(&folder, b"newer").expect("no fault");
    assert_eq!(std::fs::read(folder.join("file")).expect("it is there"), b"Newer");
    std::fs::remove_dir_all(folder).expect("removed");
}

/// Row 17: a link in the way of the file beside is not followed, and a link in the file's place is replaced.
#[test]
fn links_are_not_followed() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let folder = folder("links");
    let victim = folder.join("victim");
    std::fs::write(&victim, b"mine").expect("written");
    std::os::unix::fs::symlink(&victim, folder.join("beside")).expect("linked");
    assert_eq!(replace(&folder, b"new").expect_err("a link").step, Step::Create);
    std::fs::remove_file(folder.join("beside")).expect("removed");
    std::os::unix::fs::symlink(&victim, folder.join("file")).expect("linked");
    replace(&folder, b"new").expect("replaced");
    assert_eq!(std::fs::read(&victim).expect("it is there"), b"mine");
    assert!(!folder.join("file").is_symlink());
    std::fs::remove_dir_all(folder).expect("removed");
}
