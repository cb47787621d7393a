//! Where received files go: into one folder, under their base name, never over anything.

use sinew_crypto::Sha256;
use std::{
    io,
    path::{Path, PathBuf},
};
use tokio::{
    fs::{File, OpenOptions},
    io::{AsyncWriteExt, BufWriter},
};

/// What is gathered before it is written: each write is a task of another thread, and QUIC gives 1,400 bytes at a time.
const GATHERED: usize = 256 << 10;

/// A file that is being received. Dropping it unfinished removes what there is of it.
pub(super) struct Incoming {
    file: Option<BufWriter<File>>,
    hash: Sha256,
    part: PathBuf,
    target: PathBuf,
}

/// The name that an offered one is stored under: its last part, and nothing that hides or escapes.
pub(super) fn base_name(offered: &str) -> Option<&str> {
    let name = offered.rsplit(['/', '\\']).next()?;
    let fits = !name.is_empty()
        && name.len() <= 200
        && !name.starts_with('.')
        && !name.chars().any(char::is_control);
    fits.then_some(name)
}

impl Incoming {
    /// Opens a part file beside the target, which must not exist.
    pub(super) async fn create(dir: &Path, name: &str) -> io::Result<Self> {
        let target = dir.join(name);
        // Not `exists`: a symbolic link that leads nowhere is in the way too.
        if tokio::fs::symlink_metadata(&target).await.is_ok() {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "there is a file of that name already",
            ));
        }
        let mut random = [0; 8];
        sinew_crypto::random(&mut random);
        let part = dir.join(format!(".{name}.{:016x}.part", u64::from_be_bytes(random)));
        // `create_new` neither follows a link nor takes what is there.
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&part)
            .await?;
        Ok(Self {
            file: Some(BufWriter::with_capacity(GATHERED, file)),
            hash: Sha256::new(),
            part,
            target,
        })
    }

    /// Takes the next bytes.
    pub(super) async fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.hash.update(chunk);
        self.file
            .as_mut()
            .expect("open until it is finished")
            .write_all(chunk)
            .await
    }

    /// Checks the hash and moves the file to its place. A file that appeared there meanwhile stays.
    pub(super) async fn finish(mut self, expected: &[u8; 32]) -> io::Result<PathBuf> {
        let actual = std::mem::replace(&mut self.hash, Sha256::new()).finish();
        if actual != *expected {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the checksum does not hold",
            ));
        }
        let mut file = self.file.take().expect("open until it is finished");
        file.flush().await?;
        file.get_ref().sync_all().await?;
        // A hard link fails where a rename would replace.
        tokio::fs::hard_link(&self.part, &self.target).await?;
        Ok(self.target.clone())
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // After a success this is the second name of the file, else all there is of it.
        let _ = std::fs::remove_file(&self.part);
    }
}

#[cfg(test)]
mod tests {
    use super::{Incoming, base_name};
    use sinew_crypto::sha256;

    #[test]
    fn only_the_last_part_of_a_name_counts() {
        for (offered, name) in [
            ("a.txt", Some("a.txt")),
            ("/etc/passwd", Some("passwd")),
            ("..\\..\\a.txt", Some("a.txt")),
            ("../..", None),
            ("", None),
            ("dir/", None),
            (".bashrc", None),
            ("a\nb", None),
            ("a\0", None),
        ] {
            assert_eq!(base_name(offered), name, "{offered:?}");
        }
        assert_eq!(base_name(&"a".repeat(201)), None);
    }

    fn folder(test: &str) -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("sinew-store-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("made");
        folder
    }

    #[tokio::test]
    async fn a_file_appears_whole_or_not_at_all() {
        let dir = folder("whole");
        let mut bad = Incoming::create(&dir, "a").await.expect("free");
        bad.write(b"hello").await.expect("written");
        bad.finish(&sha256(b"other"))
            .await
            .expect_err("the checksum does not hold");
        drop(Incoming::create(&dir, "a").await.expect("free"));
        assert_eq!(
            std::fs::read_dir(&dir).expect("there").count(),
            0,
            "nothing is left of either"
        );
        let mut good = Incoming::create(&dir, "a").await.expect("free");
        good.write(b"hello").await.expect("written");
        let path = good.finish(&sha256(b"hello")).await.expect("stored");
        assert_eq!(std::fs::read(path).expect("there"), b"hello");
        assert_eq!(std::fs::read_dir(&dir).expect("there").count(), 1);
        std::fs::remove_dir_all(dir).expect("removed");
    }

    #[tokio::test]
    async fn nothing_is_overwritten_and_no_link_is_followed() {
        let dir = folder("links");
        std::fs::write(dir.join("a"), b"mine").expect("written");
        #[cfg(unix)]
        std::os::unix::fs::symlink("nowhere", dir.join("link")).expect("linked");
        for name in ["a", "link"] {
            assert!(Incoming::create(&dir, name).await.is_err(), "{name}");
        }
        let racing = Incoming::create(&dir, "late").await.expect("free");
        std::fs::write(dir.join("late"), b"mine").expect("written");
        racing
            .finish(&sha256(b""))
            .await
            .expect_err("it appeared meanwhile");
        assert_eq!(std::fs::read(dir.join("late")).expect("there"), b"mine");
        std::fs::remove_dir_all(dir).expect("removed");
    }
}
