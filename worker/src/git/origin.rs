//! What a checkout says of where it came from, in the words of git's own configuration file.

use contract::{Branch, GitUrl};

/// Settings by which `origin` is `url` and `branch` follows its branch of that name. `is_partial`: files of other commits are not
/// here, and a command that wants them, and has a credential, gets them from there.
pub(super) fn settings(url: &GitUrl, branch: &Branch, is_partial: bool) -> String {
    let (url, branch) = (quoted(url.as_str()), branch.as_str());
    let fetch = quoted(&format!("+refs/heads/{branch}:refs/remotes/origin/{branch}"));
    let merge = quoted(&format!("refs/heads/{branch}"));
    let promisor = if is_partial { "\tpromisor = true\n" } else { "" };
    format!(
        "[remote \"origin\"]\n\turl = {url}\n\tfetch = {fetch}\n{promisor}[branch {}]\n\tremote = origin\n\tmerge = {merge}\n",
        quoted(branch)
    )
}

/// In quotation marks, in which a `#` begins no comment. Neither a URL nor a branch holds a line break.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn git_reads_what_was_written_whatever_stands_in_the_branch() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config");
        let url = GitUrl::parse("https://git.example/a%20b/demo.git").unwrap();
        for name in ["main", "fix/#12_(a),b+c@d", "a.b/c-d"] {
            let branch = Branch::parse(name).unwrap();
            std::fs::write(&file, settings(&url, &branch, true)).unwrap();
            let ask = |key: &str| {
                let output = Command::new("git").args(["config", "--file"]).arg(&file).args(["--get", key]).output();
                String::from_utf8(output.unwrap().stdout).unwrap().trim_end().to_owned()
            };
            assert_eq!(ask("remote.origin.url"), url.as_str());
            assert_eq!(ask("remote.origin.fetch"), format!("+refs/heads/{name}:refs/remotes/origin/{name}"));
            assert_eq!(ask("remote.origin.promisor"), "true");
            assert_eq!(ask(&format!("branch.{name}.remote")), "origin");
            assert_eq!(ask(&format!("branch.{name}.merge")), format!("refs/heads/{name}"));
        }
        assert!(!settings(&url, &Branch::parse("main").unwrap(), false).contains("promisor"));
        assert_eq!(quoted(r#"a"b\c"#), r#""a\"b\\c""#);
    }
}
