//! The register's rules about what a commit only points to. A tool that takes the tree for the whole truth would take away what
//! an empty directory or a pointer stands for, and the deployment would count as good; so the tree is complete, or it is said
//! to be enough as it is, or nothing runs.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use contract::Project;
use contract::register::{LargeFiles, Submodules};

use crate::failure::{Failure, Kind};
use crate::git::Repository;

/// Most paths that a refusal names, of each kind.
const MAX_PATHS: usize = 5;

/// Refuses a checkout that lacks something below `deployDir`, or gets it, as the register says.
///
/// # Errors
/// With the paths of what is missing, or why it cannot be fetched.
pub async fn make_complete(project: &Project, repository: &Repository<'_>) -> Result<(), Failure> {
    let mut found = repository.pointers(&project.git_url, project.deploy_dir.as_path()).await?;
    refuse(
        "links that lead to what sparse leaves out",
        found.cut_links.iter().map(PathBuf::as_path).collect(),
        "give a directory above all of it as deployDir, or set sparse to false in the register",
    )?;
    match project.checkout.submodules {
        Submodules::Refuse => refuse(
            "submodules",
            found.submodules.iter().map(|submodule| submodule.path.as_path()).collect(),
            "their directories are empty: set submodules in the register to fetch, or to ignore if the deployment does \
             without them",
        )?,
        Submodules::Ignore => (),
        Submodules::Fetch => {
            let further = repository.fetch_submodules(project, &found.submodules).await?;
            found.large_files.extend(further.large_files);
        }
    }
    match project.checkout.large_files {
        LargeFiles::Refuse => refuse(
            "files of Git LFS",
            found.large_files.iter().map(|file| file.path.as_path()).collect(),
            "pointers of some 130 bytes stand in their place: set lfs in the register to fetch if gitUrl's own host has them, \
             or to ignore if the deployment does without them",
        ),
        LargeFiles::Ignore => Ok(()),
        LargeFiles::Fetch => repository.fetch_large_files(project, &found.large_files).await,
    }
}

fn refuse(what: &str, paths: Vec<&Path>, advice: &str) -> Result<(), Failure> {
    if paths.is_empty() {
        return Ok(());
    }
    let mut names: Vec<_> = paths.iter().take(MAX_PATHS).map(|path| path.display().to_string()).collect();
    if paths.len() > MAX_PATHS {
        names.push(format!("and {} more", paths.len() - MAX_PATHS));
    }
    let error = anyhow!("looking for what the commit only points to: {} {what}: {}", paths.len(), names.join(", "));
    Err(Failure::new(Kind::IncompleteTree, error, advice))
}
