//! The directory of one run: the rendered configuration and the provider keys, for this user only.
//! Fresh and removed at the end, unless the user named one to look into.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::apply::record::{PREFIX, places};
use crate::failure::Failure;
use crate::key::hex;

/// The directory; removed when this value goes, if it was made for this run.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    temporary: bool,
}

impl Directory {
    /// The named directory, or a fresh one.
    pub(super) fn open(named: Option<&Path>) -> Result<Self, Failure> {
        let path = match named {
            Some(named) => std::path::absolute(named).map_err(|error| because(named, &error))?,
            None => fresh()?,
        };
        // A fresh one must not be there yet: whoever made it could read what is put there.
        DirBuilder::new().mode(0o700).recursive(named.is_some()).create(&path).map_err(|error| because(&path, &error))?;
        Ok(Self { path, temporary: named.is_none() })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the provider keys go.
    pub(super) fn secrets(&self) -> String {
        self.path.join("secrets").to_string_lossy().into_owned()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if self.temporary
            && let Err(error) = fs::remove_dir_all(&self.path)
        {
            eprintln!("warning: {} could not be removed: {error}", self.path.display());
        }
    }
}

/// In the user's own runtime directory where there is one, which is memory and ends with the session.
fn fresh() -> Result<PathBuf, Failure> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| Failure::new(format!("the operating system gave no random numbers: {error}")))?;
    let place = places().into_iter().next().unwrap_or_else(std::env::temp_dir);
    Ok(place.join(format!("{PREFIX}{}", hex(&random))))
}

fn because(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("{}: {error}", path.display()))
}
