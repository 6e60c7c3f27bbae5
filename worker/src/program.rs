//! The registered command: what it is in this checkout, and how it is run. No shell, nothing outside the checkout but
//! programs of the image, an environment that is a list, and no secret of ours.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use contract::register::Command;
use contract::{Branch, Project};

use crate::bounds::Bounds;
use crate::environment::Environment;
use crate::failure::{Failure, Kind};
use crate::mask::Mask;
use crate::process::{self, Ended, Relay, log};
use crate::user::User;

/// Between SIGTERM and SIGKILL: enough for Terraform to end the calls under way and to write its state, and well within the
/// two minutes that lie between our time limit and CodeBuild's.
pub(crate) const GRACE: Duration = Duration::from_secs(30);

/// The kernel looks no further for the interpreter's name.
const MAX_INTERPRETER_BYTES: u64 = 256;
const WORDS: &str = "give each word as one element of the array";

/// What the command gets of the world.
pub struct Cage<'a> {
    pub environment: Environment,
    /// Absent: the user that we are.
    pub user: Option<&'a User>,
    /// What is taken out of its output.
    pub mask: &'a Mask,
}

/// The command, found: a program, its arguments and the directory to run it in.
#[derive(Debug, PartialEq, Eq)]
pub struct Program {
    path: PathBuf,
    arguments: Vec<String>,
    directory: PathBuf,
}

impl Program {
    /// Finds the command of `project` in `checkout`, or, if it is a bare name, in the directories of `search_path`.
    ///
    /// # Errors
    /// Says what was looked for, where, and what was wrong with it.
    pub fn find(checkout: &Path, project: &Project, branch: &Branch, search_path: &OsStr) -> anyhow::Result<Self> {
        let checkout = checkout.canonicalize().with_context(|| format!("looking at {}", checkout.display()))?;
        let directory = find_directory(&checkout, project.deploy_dir.as_path())?;
        let place = Place { checkout: &checkout, directory: &directory, search_path };
        let (path, arguments) = match &project.command {
            Command::Executable(name) => (place.find_article_style(name)?, vec![branch.as_str().to_owned()]),
            Command::Vector(words) => {
                let (name, arguments) = words.split_first().context("the command is empty")?;
                (place.find_exec_style(name)?, arguments.to_vec())
            }
        };
        Ok(Self { path, arguments, directory })
    }

    /// Runs it to its end; its output goes where ours goes, as it comes, without the secrets that `cage` masks.
    ///
    /// # Errors
    /// If it cannot be started, fails, takes too long, or we are asked to stop.
    pub async fn run(&self, cage: &Cage<'_>, bounds: &Bounds) -> Result<(), Failure> {
        const DOING: &str = "running the command";
        let mut command = process::command(&self.path, &cage.environment);
        command.args(&self.arguments).current_dir(&self.directory);
        process::forbid_new_privileges(&mut command);
        if let Some(user) = cage.user {
            process::run_as(&mut command, user.user_id, user.group_id);
        }
        let ended = self
            .supervise(command, cage.mask, bounds)
            .await?
            .map_err(|error| Failure::new(Kind::Machine, anyhow!(error).context(DOING), "trigger again"))?;
        match ended {
            Ended::Exited(status) if status.success() => Ok(()),
            Ended::Exited(status) => {
                let code = process::exit_code(status);
                let error = anyhow!("{DOING}: it ended with exit status {code}");
                Err(Failure::new(Kind::CommandFailed(code), error, "the command's own words are in the lines above"))
            }
            Ended::TimeLimit => Err(Failure::time_limit(DOING)),
            Ended::Stopped(stopped) => Err(Failure::stopped(stopped, DOING)),
        }
    }

    async fn supervise(
        &self,
        mut command: tokio::process::Command,
        mask: &Mask,
        bounds: &Bounds,
    ) -> Result<io::Result<Ended>, Failure> {
        // Not our own streams, even where there is nothing to mask: a log that is closed would be the command's death.
        command.stdout(Stdio::piped());
        if log::are_one_stream() {
            process::join_streams(&mut command);
        } else {
            command.stderr(Stdio::piped());
        }
        let mut child = command.spawn().map_err(|error| self.not_started(&error))?;
        let relay = Relay::of(&mut child);
        let limits = bounds.limits(Duration::MAX, GRACE);
        let supervising = process::supervise(&mut child, limits, &bounds.stop);
        Ok(relay.through(mask.stream(), mask.stream(), supervising).await)
    }

    /// The command as people would type it, with its paths as seen from the checkout.
    #[must_use]
    pub fn label(&self, checkout: &Path) -> String {
        let root = checkout.canonicalize().unwrap_or_else(|_| checkout.to_owned());
        let short = |path: &Path| path.strip_prefix(&root).unwrap_or(path).display().to_string();
        let program = short(&self.path);
        let words: Vec<_> = std::iter::once(&program).chain(&self.arguments).map(|word| quote(word)).collect();
        match short(&self.directory).as_str() {
            "" => words.join(" "),
            directory => format!("{} (in {directory})", words.join(" ")),
        }
    }

    fn not_started(&self, error: &io::Error) -> Failure {
        let advice = match error.kind() {
            io::ErrorKind::NotFound => "the interpreter after #! is not in the build image",
            _ => "see whether the build image can run it",
        };
        Failure::new(Kind::Command, anyhow!("starting {}: {error}", self.path.display()), advice)
    }
}

/// `word` as a shell would need it, so that the log shows where a word ends.
fn quote(word: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-=:,@+%".contains(&b);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

fn find_directory(checkout: &Path, deploy_dir: &Path) -> anyhow::Result<PathBuf> {
    let shown = deploy_dir.display();
    let directory = checkout
        .join(deploy_dir)
        .canonicalize()
        .with_context(|| format!("looking for deployDir {shown} in the commit"))?;
    if !directory.starts_with(checkout) {
        bail!("deployDir {shown} leads out of the checkout, through a symbolic link");
    }
    if !directory.is_dir() {
        bail!("deployDir {shown} is not a directory");
    }
    Ok(directory)
}

/// Where programs are looked for.
struct Place<'a> {
    checkout: &'a Path,
    directory: &'a Path,
    search_path: &'a OsStr,
}

impl Place<'_> {
    /// The article's rule: a name is a file of the directory first, and a program of the image only if there is none.
    fn find_article_style(&self, name: &str) -> anyhow::Result<PathBuf> {
        if name.contains('/') || self.directory.join(name).is_file() {
            return self.in_checkout(name);
        }
        process::find(name, self.search_path)
            .with_context(|| format!("command {name} is neither a file in deployDir nor a program of the build image"))
    }

    /// As exec does it: a bare name is a program of the image, a path is a file of the checkout.
    fn find_exec_style(&self, name: &str) -> anyhow::Result<PathBuf> {
        if name.contains('/') {
            return self.in_checkout(name);
        }
        process::find(name, self.search_path).with_context(|| match name.contains(char::is_whitespace) {
            true => format!("command \"{name}\" is one executable, not a line for a shell; {WORDS}"),
            false => format!("command {name} is not a program of the build image; for a file write ./{name}"),
        })
    }

    fn in_checkout(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path =
            self.directory.join(name).canonicalize().with_context(|| match name.contains(char::is_whitespace) {
                true => format!("looking for command \"{name}\", one executable, in deployDir of the commit; {WORDS}"),
                false => format!("looking for command {name} in deployDir of the commit"),
            })?;
        if !path.starts_with(self.checkout) {
            bail!("command {name} is outside of the checkout");
        }
        if !path.is_file() {
            bail!("command {name} is not a file");
        }
        if !process::is_executable(&path) {
            bail!("command {name} is not executable in the commit (git update-index --chmod=+x {name})");
        }
        require_unix_line_ends(&path, name)?;
        Ok(path)
    }
}

/// The kernel takes the carriage return for a part of the interpreter's name, and says only that there is no such file.
fn require_unix_line_ends(path: &Path, name: &str) -> anyhow::Result<()> {
    let mut start = Vec::new();
    let reading = fs::File::open(path).and_then(|file| file.take(MAX_INTERPRETER_BYTES).read_to_end(&mut start));
    reading.with_context(|| format!("reading command {name}"))?;
    let first_line = start.split(|&byte| byte == b'\n').next().unwrap_or_default();
    if first_line.starts_with(b"#!") && first_line.ends_with(b"\r") {
        bail!(
            "command {name} has the line ends of Windows, so that no interpreter is found for it; commit it with those of Unix \
             ({name} text eol=lf in .gitattributes, then git add --renormalize)"
        );
    }
    Ok(())
}

/// The name of the program of the image that `command` starts with; none where a file of the repository may be meant.
#[must_use]
pub fn of_the_image(command: &Command) -> Option<&str> {
    match command {
        Command::Executable(_) => None,
        Command::Vector(words) => words.first().map(String::as_str).filter(|name| !name.contains('/')),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use contract::register::{Document, Storage};
    use tempfile::TempDir;

    use super::*;
    use crate::process::Stop;

    /// A checkout in a folder that has more beside it.
    struct Scene {
        folder: TempDir,
        search_path: OsString,
    }

    impl Scene {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            fs::create_dir_all(folder.path().join("checkout/infra")).unwrap();
            fs::create_dir(folder.path().join("bin")).unwrap();
            let search_path = folder.path().canonicalize().unwrap().join("bin").into();
            Self { folder, search_path }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().canonicalize().unwrap().join(name)
        }

        fn script(&self, name: &str, text: &str) -> &Self {
            fs::write(self.path(name), text).unwrap();
            fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755)).unwrap();
            self
        }

        fn find(&self, command: &str, deploy_dir: &str) -> anyhow::Result<Program> {
            let text = format!(r#"{{"gitUrl":"https://h.example/r","command":{command},"deployDir":"{deploy_dir}"}}"#);
            let project = Project::read(Document { text: &text, storage: Storage::Plain }, None).unwrap();
            Program::find(&self.path("checkout"), &project, &Branch::parse("main").unwrap(), &self.search_path)
        }

        fn error(&self, command: &str, deploy_dir: &str) -> String {
            format!("{:#}", self.find(command, deploy_dir).unwrap_err())
        }
    }

    #[test]
    fn a_string_is_a_file_of_deploy_dir_with_the_branch_as_its_only_argument() {
        let scene = Scene::new();
        scene.script("checkout/infra/deploy.sh", "");
        for command in [r#""deploy.sh""#, r#""./deploy.sh""#, r#""../infra/deploy.sh""#] {
            let program = scene.find(command, "infra").unwrap();
            assert_eq!(
                (program.path.clone(), program.directory.clone()),
                (scene.path("checkout/infra/deploy.sh"), scene.path("checkout/infra"))
            );
            assert_eq!(program.arguments, ["main"]);
        }
        assert_eq!(
            scene.find(r#""deploy.sh""#, "infra").unwrap().label(&scene.path("checkout")),
            "infra/deploy.sh main (in infra)"
        );
    }

    #[test]
    fn a_bare_string_falls_back_to_the_image_and_a_directory_of_that_name_does_not_matter() {
        let scene = Scene::new();
        scene.script("bin/terraform", "");
        fs::create_dir(scene.path("checkout/terraform")).unwrap();
        assert_eq!(scene.find(r#""terraform""#, ".").unwrap().path, scene.path("bin/terraform"));
    }

    #[test]
    fn a_relative_directory_of_the_path_is_passed_over() {
        let mut scene = Scene::new();
        scene.script("bin/terraform", "");
        let up = "../".repeat(std::env::current_dir().unwrap().components().count());
        let relative = format!("{up}{}", scene.path("bin").strip_prefix("/").unwrap().display());
        assert!(Path::new(&relative).join("terraform").is_file());
        scene.search_path = OsString::from(format!("{relative}::."));
        assert!(scene.find(r#""terraform""#, ".").is_err());
    }

    #[test]
    fn an_array_is_an_exact_vector_whose_bare_program_is_of_the_image_even_if_the_checkout_has_one() {
        let scene = Scene::new();
        scene.script("bin/make", "").script("checkout/make", "").script("checkout/infra/make", "");
        let program = scene.find(r#"["make","deploy","a b;$(id)"]"#, "infra").unwrap();
        assert_eq!(program.path, scene.path("bin/make"));
        assert_eq!(program.arguments, ["deploy", "a b;$(id)"]);
        let label = format!("{} deploy 'a b;$(id)' (in infra)", scene.path("bin/make").display());
        assert_eq!(program.label(&scene.path("checkout")), label);
        assert!(scene.error(r#"["deploy.sh"]"#, ".").contains("write ./deploy.sh"));
    }

    #[test]
    fn a_deploy_dir_that_leads_out_of_the_checkout_is_refused() {
        let scene = Scene::new();
        scene.script("bin/deploy.sh", "");
        symlink("../bin", scene.path("checkout/out")).unwrap();
        symlink("infra", scene.path("checkout/in")).unwrap();
        scene.script("checkout/infra/deploy.sh", "");
        assert!(scene.error(r#""deploy.sh""#, "out").contains("leads out of the checkout"));
        assert!(scene.find(r#""deploy.sh""#, "in").is_ok());
    }

    #[test]
    fn a_program_outside_of_the_checkout_is_refused() {
        let scene = Scene::new();
        scene.script("bin/deploy.sh", "");
        symlink("../bin/deploy.sh", scene.path("checkout/linked.sh")).unwrap();
        for command in
            [r#""../bin/deploy.sh""#, r#""/bin/sh""#, r#""linked.sh""#, r#"["./linked.sh"]"#, r#"["/bin/sh"]"#]
        {
            let error = scene.error(command, ".");
            assert!(error.contains("outside of the checkout"), "{command}: {error}");
        }
    }

    #[test]
    fn what_cannot_be_run_is_explained() {
        let scene = Scene::new();
        fs::write(scene.path("checkout/plain.sh"), "").unwrap();
        assert!(scene.error(r#""plain.sh""#, ".").contains("git update-index --chmod=+x plain.sh"));
        assert!(scene.error(r#""absent.sh""#, ".").contains("neither a file in deployDir nor a program"));
        assert!(scene.error(r#""./absent.sh""#, ".").contains("looking for command ./absent.sh"));
        assert!(scene.error(r#"["./deploy.sh prod"]"#, ".").contains("give each word as one element"));
        assert!(scene.error(r#"["npm run deploy"]"#, ".").contains("give each word as one element"));
        assert!(scene.error(r#""x""#, "absent").contains("looking for deployDir absent"));
        assert!(scene.error(r#""x""#, "plain.sh").contains("is not a directory"));
    }

    async fn run(script: &str) -> Result<(), Failure> {
        run_registered(r#""deploy.sh""#, script).await
    }

    async fn run_registered(command: &str, script: &str) -> Result<(), Failure> {
        let scene = Scene::new();
        scene.script("checkout/deploy.sh", script);
        let program = scene.find(command, ".").unwrap();
        let environment =
            [("PATH".into(), std::env::var_os("PATH").unwrap()), ("GREETING".into(), "hello".into())].into();
        let cage = Cage { environment, user: None, mask: &Mask::default() };
        program.run(&cage, &Bounds::new(Duration::from_secs(20), Stop::channel().1)).await
    }

    #[tokio::test]
    async fn it_runs_in_its_directory_with_the_branch_the_environment_and_three_descriptors() {
        run("#!/bin/sh
            for n in 3 4 5 6 7 8 9; do test ! -e /proc/$$/fd/$n || exit 1; done
            test \"$*\" = main && test -f deploy.sh && test \"$GREETING\" = hello")
        .await
        .unwrap();
    }

    #[tokio::test]
    async fn no_shell_reads_its_words() {
        let script = "#!/bin/sh\ntest $# = 2 && test \"$1\" = '$(echo x); exit 3' && test \"$2\" = 'a b'";
        run_registered(r#"["./deploy.sh","$(echo x); exit 3","a b"]"#, script).await.unwrap();
    }

    #[tokio::test]
    async fn it_cannot_get_more_rights_than_it_starts_with() {
        run("#!/bin/sh\ngrep -q '^NoNewPrivs:.1$' /proc/self/status").await.unwrap();
    }

    #[tokio::test]
    async fn its_exit_status_is_ours() {
        assert_eq!(run("#!/bin/sh\nexit 42").await.unwrap_err().kind.exit_status(), 42);
    }

    #[tokio::test]
    async fn a_script_without_interpreter_is_run_by_sh_as_exec_does_it() {
        run("test \"$*\" = main").await.unwrap();
    }

    #[tokio::test]
    async fn a_script_whose_interpreter_is_missing_is_explained() {
        let failure = run("#!/no/such/interpreter\necho hello").await.unwrap_err();
        assert_eq!(failure.kind, Kind::Command);
        assert!(failure.advice.contains("the interpreter after #! is not in the build image"), "{}", failure.advice);
    }

    #[test]
    fn a_script_with_the_line_ends_of_windows_is_seen_before_it_is_started() {
        let scene = Scene::new();
        scene.script("checkout/deploy.sh", "#!/bin/sh\r\necho hello\r\n");
        for command in [r#""deploy.sh""#, r#"["./deploy.sh"]"#] {
            let error = scene.error(command, ".");
            assert!(error.contains("has the line ends of Windows") && error.contains("eol=lf"), "{error}");
        }
        scene.script("checkout/deploy.sh", "#!/bin/sh\necho hello\r\n");
        assert!(scene.find(r#""deploy.sh""#, ".").is_ok(), "only the first line keeps it from starting");
    }
}
