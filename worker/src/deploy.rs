//! The runbook of one deployment, one call a step: register, git, verify, command, record. Every step says what it does, and
//! a step that fails ends the deployment.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use contract::register::{GitAccess, RoleArn, Unchanged};
use contract::{CommitId, Deployed, Outcome, Project, Report, Rollback};
use iwomp_aws::client::SdkConfig;

use crate::app_token::AppToken;
use crate::bounds::Bounds;
use crate::build_tree;
use crate::choice::{Choice, choose};
use crate::complete;
use crate::environment::{self, Environment};
use crate::failure::{Failure, Kind, OrFail};
use crate::git::{History, LentAccess, NoSuchBranch, Repository};
use crate::narration::{Narration, duration};
use crate::parameters::Parameters;
use crate::private_directory::PrivateDirectory;
use crate::program::{Cage, Program};
use crate::rules;
use crate::session::{self, Session};
use crate::sight::Sight;
use crate::user::User;
use crate::variables::Variables;

/// The checkout's name in the directory that is the command's.
const CHECKOUT: &str = "checkout";

/// Deploys what `variables` ask for, if the rules allow it. `report` gets the commit as soon as it is known.
///
/// # Errors
/// Whatever ended it: refusals and failures.
pub async fn deploy(
    variables: &Variables,
    aws: &SdkConfig,
    bounds: &Bounds,
    narration: &mut Narration,
    report: &mut Report,
) -> Result<Outcome, Failure> {
    let (mut sight, mut token) = (Sight::default(), None);
    let result = try_deploy(variables, aws, (&mut sight, &mut token), bounds, narration, report).await;
    if let Some(token) = token {
        token.revoke(narration).await;
    }
    // Last, when nothing can change any more what may run; and whatever the result is.
    let parameters = Parameters::new(aws_sdk_ssm::Client::new(aws), &variables.config_path, &variables.project);
    if let Some((seen, ended)) = sight.to_note(variables)
        && let Err(failure) = parameters.note_seen(seen, ended).await
    {
        narration.say("not noted", &format!("{:#}: other pinned triggers wait longer", failure.error));
    }
    result
}

async fn try_deploy<'a>(
    variables: &'a Variables,
    aws: &SdkConfig,
    (sight, token): (&mut Sight, &mut Option<AppToken<'a>>),
    bounds: &Bounds,
    narration: &mut Narration,
    report: &mut Report,
) -> Result<Outcome, Failure> {
    say_what_is_asked(variables, narration);
    let parameters = Parameters::new(aws_sdk_ssm::Client::new(aws), &variables.config_path, &variables.project);
    let asked = bounds.or_stop("reading the register", parameters.read(&variables.branch)).await?;
    let (mut project, record) = (asked.project, asked.record);
    hide_secrets(&project, narration);
    rules::require_allowed_trigger(variables, &project)?;
    let own = (&variables.config_path, &variables.project);
    *token = AppToken::take(&mut project, aws, own, bounds, narration).await?;

    let scratch = private_directory()?;
    let mut repository = Repository::create(scratch.path(), &variables.environment, bounds, narration).await?;
    sight.begin();
    let history = fetch(&mut repository, &project, variables, narration).await.inspect_err(|failure| {
        if failure.error.is::<NoSuchBranch>() {
            sight.see_no_branch(variables);
        }
    })?;
    let record = record?;
    say_live(record.as_ref(), narration);
    let live = record.as_ref().map(|record| record.commit.clone());
    let line = sight.look(variables, &project, &history, live.as_ref());
    let choice = choose(variables, &project, &repository, &history, record.as_ref(), &line, narration).await?;
    let (Choice::Run(commit) | Choice::Leave(commit, ..)) = &choice;
    report.commit = Some(commit.clone());
    say_commit(&repository, commit, narration).await?;
    let commit = match choice {
        Choice::Run(commit) => commit,
        Choice::Leave(_, outcome, reason) => {
            report.reason = reason.map(str::to_owned);
            return Ok(outcome);
        }
    };
    if project.unchanged == Unchanged::Skip && live.as_ref() == Some(&commit) && variables.rollback.is_none() {
        return Ok(Outcome::Unchanged);
    }
    repository.fetch_files(&project, &variables.branch, &commit).await?;

    let user = User::for_command().or_fail(Kind::Machine, "mend the build image's list of users")?;
    close_the_build(&project, user.as_ref(), narration)?;
    repository.check_out(&commit).await?;
    complete::make_complete(&project, &repository).await?;
    let git_access = lend_git_access(&project, user.as_ref(), narration)?;
    // Wiped, as nothing needs them any more.
    project.credentials = None;
    if git_access.is_none()
        && let Some(token) = token.take()
    {
        token.revoke(narration).await;
    }
    repository.name_branch(&project.git_url, &variables.branch, &commit, history.head()).await?;
    let workplace = hand_over(&repository.into_checkout(), user.as_ref())?;
    drop(scratch);
    let checkout = workplace.path().join(CHECKOUT);
    let mut environment = command_environment(variables, &project, &commit, live.as_ref());
    if let Some(user) = &user {
        user.enter(&mut environment);
    }
    if let Some(access) = &git_access {
        access.enter(&mut environment);
    }
    let program = Program::find(&checkout, &project, &variables.branch, path(&environment))
        .or_fail(Kind::Command, "correct command or deployDir in the register, or the files in the repository")?;
    narration.say("command", &program.label(&checkout));
    if let Some(role) = &project.deploy_role {
        let session = take_role(role, aws, variables, &commit, bounds, narration).await?;
        session.enter(&mut environment);
    }
    let cage = Cage { environment, user: user.as_ref(), mask: narration.mask() };
    run(&program, &cage, bounds, narration).await?;
    drop(git_access);

    let deployed = deployed_now(variables, commit.clone(), live.clone(), history.head().clone());
    parameters.record(&variables.branch, live.as_ref(), &deployed).await?;
    sight.forget_older_than(&commit);
    Ok(Outcome::Deployed)
}

fn say_what_is_asked(variables: &Variables, narration: &Narration) {
    narration.say("project", variables.project.as_str());
    narration.say("branch", variables.branch.as_str());
    if let Some(commit) = &variables.commit {
        narration.say("pinned to", commit.as_str());
    }
    if let Some(trigger) = &variables.trigger {
        narration.say("trigger", trigger);
    }
    if let Some(commit) = &variables.rollback {
        let by = variables.initiator.as_deref().unwrap_or("somebody");
        narration.say("rollback", &format!("to {commit}, says {by}"));
    }
}

pub fn hide_secrets(project: &Project, narration: &mut Narration) {
    if let Some(credentials) = &project.credentials {
        narration.hide(credentials);
    }
}

pub fn private_directory() -> Result<PrivateDirectory, Failure> {
    PrivateDirectory::create()
        .context("making a temporary directory")
        .or_fail(Kind::Machine, "make sure that the build image has a writable temporary directory")
}

/// With a deploy role, the command must not find the build's own. Without one it has the project's role anyway: the tree is
/// closed for the other variables that stand there, and if that cannot be done, it is said and no reason not to deploy.
fn close_the_build(project: &Project, user: Option<&User>, narration: &Narration) -> Result<(), Failure> {
    let closed = match user {
        Some(user) => build_tree::close_to(user),
        None if project.deploy_role.is_some() => build_tree::require_none(),
        None => Ok(()),
    };
    match closed {
        Err(error) if project.deploy_role.is_none() => {
            narration.say("open", &format!("the command can read all variables of the build: {error:#}"));
            Ok(())
        }
        closed => closed.or_fail(
            Kind::Machine,
            "build the image on ours: there the worker starts as root, and the command is another user's",
        ),
    }
}

/// The project's Git credential for its command, where the register says so. To be called when no git of ours is left to run.
fn lend_git_access(
    project: &Project,
    user: Option<&User>,
    narration: &Narration,
) -> Result<Option<LentAccess>, Failure> {
    if project.git_access == GitAccess::Kept {
        return Ok(None);
    }
    let access = LentAccess::prepare(project, user)
        .context("handing the Git credential to the command")
        .or_fail(Kind::Machine, "make sure that the build image has a writable temporary directory")?;
    let origin = project.git_url.origin();
    narration.say(
        "git access",
        &match access.has_credential() {
            true => format!("the command can read the project's Git credential, for {origin}"),
            false => format!("the project has no Git credential to hand over, for {origin}"),
        },
    );
    Ok(Some(access))
}

/// Moves the checkout to a private directory of its own and makes `user` its owner, so that the command finds nothing else
/// there and can change all of it.
fn hand_over(checkout: &Path, user: Option<&User>) -> Result<PrivateDirectory, Failure> {
    let workplace = private_directory()?;
    let own = || -> anyhow::Result<()> {
        let place = workplace.path().join(CHECKOUT);
        fs::rename(checkout, &place).with_context(|| format!("moving the checkout to {}", place.display()))?;
        user.map_or(Ok(()), |user| user.own(workplace.path()))
    };
    own().or_fail(Kind::Machine, "make sure that the build image has a writable temporary directory")?;
    Ok(workplace)
}

async fn fetch(
    repository: &mut Repository<'_>,
    project: &Project,
    variables: &Variables,
    narration: &Narration,
) -> Result<History, Failure> {
    let started = Instant::now();
    narration.say("fetching", project.git_url.as_str());
    let guess = variables.rollback.as_ref().or(variables.commit.as_ref());
    let history = repository.fetch(project, &variables.branch, guess).await?;
    narration.say("fetched", &format!("in {}", duration(started.elapsed())));
    Ok(history)
}

async fn say_commit(repository: &Repository<'_>, commit: &CommitId, narration: &Narration) -> Result<(), Failure> {
    let commit = repository.describe(commit).await?;
    narration.say("commit", commit.id.as_str());
    narration.say("", &format!("{}, {}: {}", commit.author, commit.date, commit.subject));
    Ok(())
}

fn say_live(live: Option<&Deployed>, narration: &Narration) {
    match live {
        None => narration.say("live", "nothing of this branch so far"),
        Some(live) => narration.say("live", &format!("{}, since {}", live.commit, live.time)),
    }
    if let Some(held) = live.and_then(|live| live.held.as_ref()) {
        narration.say("held", &format!("{held}, and all that does not descend from it, since a rollback"));
    }
}

/// An allow-list of the build's variables, then those of the register, and what the command may want to know of its deployment.
fn command_environment(
    variables: &Variables,
    project: &Project,
    commit: &CommitId,
    live: Option<&CommitId>,
) -> Environment {
    let mut environment = environment::for_command(&variables.environment);
    environment.extend(project.environment.iter().map(|(name, value)| (name.into(), value.into())));
    let known = [
        ("IWOMP_PROJECT", Some(variables.project.as_str())),
        ("IWOMP_BRANCH", Some(variables.branch.as_str())),
        ("IWOMP_COMMIT", Some(commit.as_str())),
        ("IWOMP_PREVIOUS_COMMIT", live.map(CommitId::as_str)),
        ("IWOMP_TRIGGER_ID", variables.trigger.as_deref()),
    ];
    environment.extend(known.into_iter().filter_map(|(name, value)| Some((name.into(), value?.into()))));
    environment
}

/// There is always one, see [`environment::for_command`].
fn path(environment: &Environment) -> &OsStr {
    environment.get(OsStr::new("PATH")).map_or(OsStr::new(""), |path| path)
}

/// As late as possible, for the session has an hour to live.
async fn take_role(
    role: &RoleArn,
    aws: &SdkConfig,
    variables: &Variables,
    commit: &CommitId,
    bounds: &Bounds,
    narration: &mut Narration,
) -> Result<Session, Failure> {
    narration.say("role", &format!("{}, for an hour", role.as_str()));
    let client = aws_sdk_sts::Client::new(aws);
    let session = bounds.or_stop("taking the deploy role", session::take(&client, role, variables, commit)).await?;
    narration.hide_secret(&session.secret_access_key);
    narration.hide_secret(&session.session_token);
    Ok(session)
}

async fn run(program: &Program, cage: &Cage<'_>, bounds: &Bounds, narration: &Narration) -> Result<(), Failure> {
    let started = Instant::now();
    let result = program.run(cage, bounds).await;
    narration.say("command", &format!("ended after {}", duration(started.elapsed())));
    result
}

/// What is live from now on. After a rollback, the head that was left is held.
fn deployed_now(variables: &Variables, commit: CommitId, live: Option<CommitId>, head: CommitId) -> Deployed {
    let time = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let is_rollback = variables.rollback.is_some();
    Deployed {
        time,
        build: variables.build.clone(),
        trigger: variables.trigger.clone(),
        held: (is_rollback && head != commit).then_some(head),
        rollback: is_rollback.then(|| Rollback { from: live, by: variables.initiator.clone() }),
        release: None,
        commit,
    }
}
