//! The secrets of this moment, put where Envoy watches for them, and the earlier ones put back if Envoy
//! then refuses what they belong to.
//!
//! They are written before the files that name them, since Envoy takes no cluster whose secret is not
//! there. Another program may rotate secrets in the same directory: only what was written here is undone.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::record::Record;
use crate::failure::Failure;
use crate::load::Loaded;
use crate::secrets;

/// What was written, and what was there before.
#[derive(Debug, Default)]
pub(super) struct Rotation {
    before: Files,
    after: Files,
    /// Providers whose secrets are others now, as the configuration's file names them.
    pub(super) changed: Vec<String>,
}

type Files = BTreeMap<PathBuf, Secret>;

#[derive(Debug, PartialEq, Eq)]
struct Secret {
    content: Vec<u8>,
    mode: u32,
}

/// What `nr` writes into the directory.
const ENDINGS: [&str; 3] = ["key", "aws", "yaml"];

impl Rotation {
    /// Writes the secrets. One that cannot be had is an error unless there is an earlier one, which stays.
    pub(super) fn make(loaded: &Loaded, record: &Record) -> Result<Self, Failure> {
        if !record.writes_secrets {
            return Ok(Self::default());
        }
        let document = &loaded.document;
        for (name, provider) in &document.providers {
            if let Some(missing) = secrets::missing(name, provider).into_iter().next()
                && !secrets::has_earlier(name, provider, &record.secrets)
            {
                return Err(Failure::new(format!("{missing}; nothing was changed")));
            }
        }
        let before = files(&record.secrets);
        let written = secrets::write(document, &record.secrets, record.site.aws());
        let mut rotation = Self { before, after: files(&record.secrets), changed: Vec::new() };
        if let Err(why) = written {
            return Err(rotation.undo(why));
        }
        let secret = |files: &Files, name: &str, ending: &str| {
            let file = Path::new(&record.secrets).join(crate::render::credential::name(name)).with_extension(ending);
            files.get(&file).map(|secret| secret.content.clone())
        };
        let differs = |name: &str| {
            let (before, after) = (&rotation.before, &rotation.after);
            ["key", "aws"].iter().any(|ending| secret(before, name, ending) != secret(after, name, ending))
        };
        rotation.changed = document.providers.keys().filter(|name| differs(name)).map(|name| format!("providers.{name}")).collect();
        Ok(rotation)
    }

    /// Puts back what was there. Returns the reason for it, and behind it what could not be put back.
    pub(super) fn undo(self, why: Failure) -> Failure {
        let mut left = Vec::new();
        for (file, written) in &self.after {
            let before = self.before.get(file);
            if before == Some(written) || Secret::read(file).as_ref() != Some(written) {
                continue;
            }
            let undone = match before {
                Some(Secret { content, mode }) => secrets::put(file, content, *mode),
                None => fs::remove_file(file).map_err(|error| Failure::new(format!("{}: {error}", file.display()))),
            };
            left.extend(undone.err().map(|error| error.to_string()));
        }
        why.and("the secrets before it could not all be put back", &left)
    }
}

impl Secret {
    fn read(file: &Path) -> Option<Self> {
        let mode = fs::metadata(file).ok()?.permissions().mode() & 0o777;
        Some(Self { content: fs::read(file).ok()?, mode })
    }
}

fn files(directory: &str) -> Files {
    let files = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    let ours = |file: &PathBuf| file.extension().is_some_and(|ending| ENDINGS.iter().any(|ours| ending == *ours));
    files.filter(ours).filter_map(|file| Secret::read(&file).map(|secret| (file, secret))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory of secrets, gone with the test.
    struct Place(PathBuf);

    impl Place {
        fn new(name: &str, files: &[(&str, &str, u32)]) -> Self {
            let place = Self(std::env::temp_dir().join(format!("nr-rotation-{}-{name}", std::process::id())));
            fs::create_dir_all(&place.0).unwrap();
            files.iter().for_each(|(file, content, mode)| place.put(file, content, *mode));
            place
        }

        fn put(&self, file: &str, content: &str, mode: u32) {
            secrets::put(&self.0.join(file), content.as_bytes(), mode).unwrap();
        }

        fn files(&self) -> Files {
            files(&self.0.to_string_lossy())
        }

        fn undo(&self, before: Files, after: Files) -> String {
            Rotation { before, after, changed: Vec::new() }.undo(Failure::new("refused")).to_string()
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_was_written_is_undone_with_its_permissions_and_what_is_new_goes() {
        let place = Place::new("whole", &[("a.key", "old", 0o640), ("b.key", "same", 0o600)]);
        let before = place.files();
        place.put("a.key", "new", 0o600);
        place.put("c.aws", "new", 0o600);
        assert_eq!(place.undo(place.files(), place.files()), "refused", "nothing was written, so nothing is undone");
        let kept = place.files();
        assert_eq!(place.undo(before, kept), "refused");
        let back: Vec<(String, String, u32)> = place
            .files()
            .into_iter()
            .map(|(file, secret)| {
                (file.file_name().unwrap().to_string_lossy().into_owned(), String::from_utf8(secret.content).unwrap(), secret.mode)
            })
            .collect();
        assert_eq!(back, [("a.key".into(), "old".into(), 0o640), ("b.key".into(), "same".into(), 0o600)]);
    }

    #[test]
    fn what_somebody_else_has_rotated_meanwhile_stays() {
        let place = Place::new("others", &[("a.key", "old", 0o600)]);
        let before = place.files();
        place.put("a.key", "ours", 0o600);
        let after = place.files();
        place.put("a.key", "theirs", 0o600);
        assert_eq!(place.undo(before, after), "refused");
        assert_eq!(fs::read(place.0.join("a.key")).unwrap(), b"theirs");
    }

    #[test]
    fn what_cannot_be_put_back_is_named() {
        let place = Place::new("stuck", &[("a.key", "old", 0o600)]);
        let before = place.files();
        place.put("a.key", "new", 0o600);
        let after = place.files();
        // In the way of the file that is written beside.
        fs::create_dir(place.0.join(format!("a.key.{}", std::process::id()))).unwrap();
        let said = place.undo(before, after);
        assert!(said.starts_with("refused. But the secrets before it could not all be put back: ") && said.contains("a.key"), "{said}");
    }
}
