//! `seeds FOLDER` writes the fixtures to `FOLDER/<target>/`, as libFuzzer takes them.

use std::path::Path;

use neural_router_fuzz::{TARGETS, seeds};

fn main() -> std::io::Result<()> {
    let folder = std::env::args_os().nth(1).ok_or_else(|| std::io::Error::other("usage: seeds FOLDER"))?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for target in TARGETS {
        let folder = Path::new(&folder).join(target.name);
        std::fs::create_dir_all(&folder)?;
        for seed in seeds::of(target, &root) {
            std::fs::write(folder.join(&seed.name), seed.input())?;
        }
    }
    Ok(())
}
