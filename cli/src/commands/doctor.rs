//! `iwomp doctor`: what in the account, the pipeline or a project would keep a deployment from working, each with what to do. It
//! only looks, unless it is told to publish a trigger or to start builds that ask. What AWS does not let it see is said to be
//! unknown, which is not the same as good.

mod builds;
mod credentials;
mod functions;
mod images;
mod policy;
mod published;
mod queues;
mod quotas;
mod register;
mod roles;
mod view;
mod watch;

use std::collections::BTreeMap;
use std::future::Future;

use anyhow::Result;
use aws_sdk_codebuild::types::Project as BuildProject;
use contract::finding::{About, Finding, Grade};
use contract::{Description, ProjectName};
use futures::FutureExt;
use futures::future::LocalBoxFuture;
use futures::stream::{StreamExt, iter};
use iwomp_aws::parameters::Register;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::account::Account;
use crate::arguments::DoctorArguments;
use crate::commands::show;
use crate::exit::{Exit, Failure};
use crate::json::Shape;
use crate::parallel::AT_ONCE;
use crate::pipeline::Pipeline;
use crate::question::{self, Examined};
use crate::register::unknown;
use crate::terminal::Terminal;

const LOOK_YOURSELF: &str = "use credentials that may read it, or look yourself; deployments may work all the same";

/// What was looked at, and what was found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Doctor {
    /// When it was looked at.
    #[schemars(with = "String")]
    at: Timestamp,
    findings: Vec<Finding>,
}

/// A look that is still to be taken.
type Look<'a> = LocalBoxFuture<'a, Vec<Finding>>;

/// `looking`, which AWS may cut short: then it is unknown.
fn look<'a>(about: About<'a>, looking: impl Future<Output = Result<Vec<Finding>>> + 'a) -> Look<'a> {
    let judge = move |looked: Result<Vec<Finding>>| {
        looked.unwrap_or_else(|error| vec![about.unknown(format!("AWS did not say: {error:#}"), LOOK_YOURSELF)])
    };
    looking.map(judge).boxed_local()
}

impl Shape for Doctor {
    const NAME: &'static str = "doctor";
    const VERSION: u32 = 1;
}

pub async fn run(pipeline: &Pipeline, arguments: &DoctorArguments, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let spinner = terminal.spinner("looking at all that a deployment needs");
    let doctor = spinner.during(look_at_all(pipeline, arguments)).await;
    let Some(doctor) = doctor.transpose()? else {
        if arguments.publish {
            terminal.note("a trigger that was published is refused all the same: iwomp status");
        }
        if arguments.in_build {
            terminal.note(&question::goes_on(arguments.project.as_ref()));
        }
        return Ok(Exit::Interrupted);
    };
    show(&doctor, &arguments.output, terminal, |doctor, terminal| view::findings(pipeline, doctor, terminal))?;
    Ok(doctor.exit())
}

async fn look_at_all(pipeline: &Pipeline, arguments: &DoctorArguments) -> Result<Doctor, Failure> {
    let patient = Patient::find(pipeline, arguments.project.as_ref()).await?;
    let mut doctor = examine(&patient, &Account::of(pipeline)).await;
    if arguments.publish {
        doctor.findings.push(published::look(&patient).await);
    }
    // Only then: while a build runs, the launcher may let a trigger wait before it looks at it.
    if arguments.in_build {
        doctor.findings.extend(in_builds(&patient).await);
    }
    doctor.sort();
    Ok(doctor)
}

/// The pipeline, and what must be known of it to know where to look.
struct Patient<'a> {
    pipeline: &'a Pipeline,
    /// One of which alone was asked.
    only: Option<&'a ProjectName>,
    register: Result<Register>,
    projects: Vec<ProjectName>,
    /// None: CodeBuild does not say.
    builds: Result<Vec<BuildProject>>,
}

impl<'a> Patient<'a> {
    async fn find(pipeline: &'a Pipeline, only: Option<&'a ProjectName>) -> Result<Self, Failure> {
        let register = Register::read(&pipeline.ssm, &pipeline.config_path).await;
        let mut projects = register.as_ref().map(Register::projects).unwrap_or_default();
        if let Some(only) = only {
            projects.retain(|project| project == only);
            if projects.is_empty() {
                return Err(match register {
                    Ok(_) => unknown(pipeline, only).await,
                    Err(error) => error.into(),
                });
            }
        }
        let builds = builds::registered(pipeline, &projects).await;
        Ok(Self { pipeline, only, register, projects, builds })
    }

    fn build_project(&self, project: &ProjectName) -> Option<&BuildProject> {
        let name = self.pipeline.build_project(project);
        self.builds.iter().flatten().find(|found| found.name() == Some(&name))
    }

    /// The images that builds run in, each with the first project that uses it.
    fn images(&self) -> BTreeMap<&str, &ProjectName> {
        let mut images = BTreeMap::new();
        for project in &self.projects {
            if let Some(environment) = self.build_project(project).and_then(BuildProject::environment) {
                images.entry(environment.image()).or_insert(project);
            }
        }
        images
    }
}

async fn examine(patient: &Patient<'_>, account: &Account) -> Doctor {
    let mut looks = vec![look(About::the("version"), async { Ok(vec![version(&patient.pipeline.description)]) })];
    looks.extend(functions::looks(patient, account));
    looks.extend(queues::looks(patient));
    looks.extend(register::looks(patient));
    looks.extend(credentials::looks(patient, account));
    looks.extend(builds::looks(patient));
    looks.extend(images::looks(patient, account));
    looks.extend(quotas::looks(patient, account));
    looks.extend(roles::looks(patient, account));
    looks.extend(watch::looks(patient, account));
    let findings = iter(looks).buffered(AT_ONCE).collect::<Vec<_>>().await.concat();
    let mut doctor = Doctor { at: Timestamp::now(), findings };
    doctor.sort();
    doctor
}

/// The same from inside: of the one project that was asked for, else of one for each image, which is alike for all that use it. One
/// after another, since an account may have room for one build only.
async fn in_builds(patient: &Patient<'_>) -> Vec<Finding> {
    let projects = match patient.only {
        Some(only) => vec![only],
        None => patient.images().into_values().collect(),
    };
    if projects.is_empty() {
        let (saw, to_do) = match &patient.builds {
            Err(error) => (format!("no build was asked: {error:#}"), LOOK_YOURSELF),
            Ok(_) => {
                ("no build was asked: no project is there to start one of".to_owned(), "register one, and ask again")
            }
        };
        return vec![About::the("build").unknown(saw, to_do)];
    }
    let mut findings = Vec::new();
    for project in projects {
        findings.extend(in_build(patient.pipeline, project).await);
    }
    findings
}

/// What only a build of the project can find out: its image, its network, its role, its Git host.
async fn in_build(pipeline: &Pipeline, project: &ProjectName) -> Vec<Finding> {
    let about = About::of(project, "build");
    let examined = match question::examine_image(pipeline, project).await {
        Err(failure) => return vec![not_tried(about, failure)],
        Ok(examined) => examined,
    };
    let Examined { answer, mut findings } = examined;
    // CodeBuild's word goes before the image's, which may have said anything.
    let is_explained = findings.iter().any(|finding| finding.grade == Grade::Problem);
    if !answer.is_taken && !is_explained {
        findings.push(about.problem(
            format!("the worker of its image did not say what is wrong: {}", answer.reason),
            format!(
                "iwomp logs {project} --build {}; an image of a team's own is to be built on the pipeline's present one",
                answer.build
            ),
        ));
    }
    if answer.is_taken && findings.is_empty() {
        findings.push(about.unknown(
            format!("the worker of its image did not say what it saw: {}", answer.reason),
            format!("iwomp logs {project} --build {}; is its image built on the pipeline's present one?", answer.build),
        ));
    }
    findings
}

/// What kept a trial from being made.
fn not_tried(about: About<'_>, failure: Failure) -> Finding {
    about.unknown(failure.what, failure.advice.unwrap_or_else(|| LOOK_YOURSELF.to_owned()))
}

/// An older program does not know what a newer pipeline says, and the other way round.
fn version(described: &Description) -> Finding {
    let (applied, ours) = (&described.iwomp, env!("CARGO_PKG_VERSION"));
    let about = About::the("version");
    if applied == ours {
        return about.good(format!("{applied}, of the pipeline and of this program"));
    }
    about.warning(
        format!("the pipeline is of version {applied}, and this program of {ours}"),
        "install the program of the pipeline's version, or apply the newer module",
    )
}

impl Doctor {
    /// The worst first; in the order of the looks where they are equally bad.
    fn sort(&mut self) {
        self.findings.sort_by_key(|finding| finding.grade);
    }

    fn count(&self, grade: Grade) -> usize {
        self.findings.iter().filter(|finding| finding.grade == grade).count()
    }

    /// What nobody could judge has not passed.
    fn exit(&self) -> Exit {
        match self.findings.first().map(|finding| finding.grade) {
            Some(Grade::Problem | Grade::Warning) => Exit::Failed,
            Some(Grade::Unknown) => Exit::Unknown,
            Some(Grade::Good) | None => Exit::Done,
        }
    }
}

#[cfg(test)]
mod tests;
