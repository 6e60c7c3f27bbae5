//! `iwomp projects`, `iwomp register show` and `iwomp register lint`: what the register says, and what is wrong in it. An encrypted
//! entry is read by the worker alone; of a secret in the wrong place nothing is shown but that it is there.

use contract::register::is_secret;
use contract::{ProjectName, parameter};
use iwomp_aws::parameters::Register;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::arguments::{ProjectsArguments, ShowArguments};
use crate::commands::show;
use crate::exit::{Exit, Failure};
use crate::json::Shape;
use crate::pipeline::Pipeline;
use crate::register::{self, is_encrypted};
use crate::terminal::{Meaning, Piece, Terminal, counted};

/// All registered projects.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Projects {
    projects: Vec<Registered>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Registered {
    #[schemars(with = "String")]
    project: ProjectName,
    /// The parameter.
    parameter: String,
    encrypted: bool,
    git_url: Option<String>,
    branches: Option<Vec<String>>,
    /// What is wrong with it, so that every trigger is refused.
    fault: Option<String>,
}

/// An entry as it holds, key by key.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Entry {
    #[schemars(with = "String")]
    project: ProjectName,
    /// What is wrong with it, so that every trigger is refused.
    fault: Option<String>,
    keys: Vec<Key>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Key {
    key: String,
    /// None: it is a secret, which is not shown.
    value: Option<Value>,
    /// The parameter that it comes from.
    from: String,
}

/// What is wrong in the register: of each parameter the first fault of every key.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Lint {
    /// How many parameters were looked at.
    pub looked_at: usize,
    /// Those that only the worker can read.
    pub encrypted: Vec<String>,
    pub faults: Vec<Fault>,
}

#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Fault {
    pub parameter: String,
    /// Names the key.
    pub fault: String,
}

impl Shape for Projects {
    const NAME: &'static str = "projects";
    const VERSION: u32 = 1;
}

impl Shape for Entry {
    const NAME: &'static str = "register-show";
    const VERSION: u32 = 1;
}

impl Shape for Lint {
    const NAME: &'static str = "register-lint";
    const VERSION: u32 = 1;
}

pub async fn projects(
    pipeline: &Pipeline,
    arguments: &ProjectsArguments,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let register = Register::read(&pipeline.ssm, &pipeline.config_path).await?;
    let projects =
        register.projects().into_iter().filter_map(|project| registered(pipeline, &register, project)).collect();
    show(&Projects { projects }, &arguments.output, terminal, view_projects)?;
    Ok(Exit::Done)
}

fn registered(pipeline: &Pipeline, register: &Register, project: ProjectName) -> Option<Registered> {
    let parameter = parameter::register(&pipeline.config_path, &project);
    let (entry, default) = (register.find(&parameter)?, register.find(&parameter::default(&pipeline.config_path)));
    let read = register::read(entry, default);
    let keys = laid_over(pipeline, register, &parameter);
    let text = |key: &str| keys.iter().find(|found| found.key == key)?.value.clone();
    Some(Registered {
        project,
        encrypted: read.is_none(),
        git_url: text("gitUrl").and_then(|value| value.as_str().map(str::to_owned)),
        branches: text("branches").and_then(|value| serde_json::from_value(value).ok()),
        fault: read.and_then(Result::err).map(|error| error.to_string()),
        parameter,
    })
}

pub async fn show_entry(
    pipeline: &Pipeline,
    arguments: &ShowArguments,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let project = &arguments.project;
    let register = Register::read(&pipeline.ssm, &pipeline.config_path).await?;
    let parameter = parameter::register(&pipeline.config_path, project);
    let Some(entry) = register.find(&parameter) else { return Err(register::unknown(pipeline, project).await) };
    let default = register.find(&parameter::default(&pipeline.config_path));
    let Some(read) = register::read(entry, default) else {
        let what = format!("{parameter}, or what lies under it, is encrypted: only the worker reads it");
        return Err(
            Failure::new(Exit::Refused, what).advise("keep secrets in the credentials parameter: iwomp secret set")
        );
    };
    let keys = laid_over(pipeline, &register, &parameter);
    let entry = Entry { project: project.clone(), fault: read.err().map(|error| error.to_string()), keys };
    show(&entry, &arguments.output, terminal, view_entry)?;
    Ok(if entry.fault.is_some() { Exit::Failed } else { Exit::Done })
}

/// The keys of an entry with those of `_default` under them, as they stand there.
fn laid_over(pipeline: &Pipeline, register: &Register, parameter: &str) -> Vec<Key> {
    let default = parameter::default(&pipeline.config_path);
    let mut keys = Vec::<Key>::new();
    for name in [parameter, &default] {
        for (key, value) in object(register, name) {
            if !keys.iter().any(|known| known.key == key) {
                let value = (!is_secret(&key)).then_some(value);
                keys.push(Key { key, value, from: name.to_owned() });
            }
        }
    }
    keys
}

fn object(register: &Register, name: &str) -> Map<String, Value> {
    let parameter = register.find(name).filter(|parameter| !is_encrypted(parameter));
    let text = parameter.and_then(|parameter| parameter.value()).unwrap_or_default();
    serde_json::from_str(text).unwrap_or_default()
}

pub async fn lint(
    pipeline: &Pipeline,
    arguments: &ProjectsArguments,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let register = Register::read(&pipeline.ssm, &pipeline.config_path).await?;
    let lint = lint_of(pipeline, &register);
    show(&lint, &arguments.output, terminal, view_lint)?;
    Ok(if lint.faults.is_empty() { Exit::Done } else { Exit::Failed })
}

/// What is wrong in the register as it was read.
pub fn lint_of(pipeline: &Pipeline, register: &Register) -> Lint {
    let config_path = &pipeline.config_path;
    let (default_name, description) = (parameter::default(config_path), parameter::description(config_path));
    let default = register.find(&default_name);
    let mut lint = Lint { looked_at: 0, encrypted: Vec::new(), faults: Vec::new() };
    for parameter in register.0.iter().filter(|parameter| parameter.name() != Some(&description)) {
        let name = parameter.name().unwrap_or_default().to_owned();
        lint.looked_at += 1;
        if is_encrypted(parameter) {
            lint.encrypted.push(name);
            continue;
        }
        let last = name.rsplit('/').next().unwrap_or_default();
        let mut fault = |fault: String| lint.faults.push(Fault { parameter: name.clone(), fault });
        if name == default_name {
            register::faults_under_all(parameter).iter().for_each(|error| fault(error.to_string()));
        } else if let Err(error) = ProjectName::parse(last) {
            fault(format!("is no project's entry, and no trigger can name it: {error}"));
        } else {
            register::faults(parameter, default).iter().for_each(|error| fault(error.to_string()));
        }
    }
    lint
}

fn view_projects(projects: &Projects, terminal: &mut Terminal) {
    if projects.projects.is_empty() {
        terminal.line(["no project is registered yet".into()]);
        return;
    }
    let rows = projects.projects.iter().map(|project| {
        let branches = project.branches.as_ref().map_or_else(|| "main, master".to_owned(), |names| names.join(", "));
        let what = match (&project.fault, project.encrypted) {
            (Some(fault), _) => Meaning::Bad.of(format!("its entry {fault}")),
            (None, true) => Meaning::Quiet.of("encrypted: only the worker reads it"),
            (None, false) => project.git_url.clone().unwrap_or_default().into(),
        };
        let branches = if project.encrypted { Piece::from("") } else { branches.into() };
        [Meaning::Subject.of(project.project.as_str()), branches, what]
    });
    terminal.table(["PROJECT", "BRANCHES", "REPOSITORY"], rows.collect());
}

fn view_entry(entry: &Entry, terminal: &mut Terminal) {
    let rows = entry.keys.iter().map(|key| {
        let value = match &key.value {
            None => Meaning::Bad.of("a secret, which is not shown"),
            Some(Value::String(text)) => lines(text).into(),
            Some(value) => value.to_string().into(),
        };
        [Meaning::Subject.of(key.key.as_str()), Meaning::Quiet.of(key.from.as_str()), value]
    });
    terminal.table(["KEY", "FROM", "VALUE"], rows.collect());
    if let Some(fault) = &entry.fault {
        terminal.line([Meaning::Bad.of("wrong"), format!(": the entry {fault}; every trigger is refused").into()]);
    }
}

/// A certificate has many lines, of which none tells anything to people.
fn lines(text: &str) -> String {
    match text.trim_end().lines().collect::<Vec<_>>().as_slice() {
        [first, _, ..] => {
            format!("{first} ... ({} lines, {} bytes; --json has them)", text.trim_end().lines().count(), text.len())
        }
        _ => text.to_owned(),
    }
}

fn view_lint(lint: &Lint, terminal: &mut Terminal) {
    for Fault { parameter, fault } in &lint.faults {
        terminal.line([Meaning::Subject.of(parameter.as_str()), " ".into(), Meaning::Bad.of(fault.as_str())]);
    }
    for parameter in &lint.encrypted {
        terminal.line([Meaning::Quiet.of(format!("{parameter} is encrypted: only the worker reads it"))]);
    }
    let (looked_at, faults) = (lint.looked_at, lint.faults.len());
    terminal.line([format!("{} in {}", counted(faults, "fault"), counted(looked_at, "parameter")).into()]);
}

#[cfg(test)]
mod tests {
    use aws_sdk_ssm::types::ParameterType;
    use serde_json::json;

    use super::*;
    use crate::arguments::Output;
    use crate::fixtures::{Aws, entry, parameter, project, terminal};
    use crate::json;

    const TEXT: Output = Output { json: false };

    fn parameters() -> [aws_sdk_ssm::types::Parameter; 5] {
        let mut encrypted = entry("sealed", "{}");
        encrypted.r#type = Some(ParameterType::SecureString);
        [
            entry("demo", r#"{"branches":["main","fix/*"],"unchanged":"skip"}"#),
            entry("leaky", r#"{"authToken":"canary-7"}"#),
            encrypted,
            parameter("/iwomp-in-aws/_default", r#"{"unchanged":"run","tags":true}"#),
            parameter("/iwomp-in-aws/_pipeline", "{}"),
        ]
    }

    #[tokio::test]
    async fn projects_are_listed_with_what_can_be_known_of_them() {
        let (pipeline, _) = Aws::with(parameters()).pipeline();
        let (mut terminal, out) = terminal();
        projects(&pipeline, &ProjectsArguments { output: TEXT }, &mut terminal).await.unwrap();
        let said = out.text();
        assert!(said.contains("demo     main, fix/*   https://git.example/x.git"), "{said}");
        assert!(said.contains("sealed                 encrypted: only the worker reads it"), "{said}");
        assert!(said.contains("is a secret in a String parameter") && !said.contains("canary-7"), "{said}");
        assert!(!said.contains("_pipeline") && !said.contains("_default"), "{said}");
    }

    #[tokio::test]
    async fn an_entry_is_shown_as_it_holds_with_where_each_value_is_from() {
        let (pipeline, _) = Aws::with(parameters()).pipeline();
        let register = Register::read(&pipeline.ssm, &pipeline.config_path).await.unwrap();
        let keys = laid_over(&pipeline, &register, "/iwomp-in-aws/demo");
        let of = |name: &str| {
            keys.iter().find(|key| key.key == name).map(|key| (key.value.clone(), key.from.as_str())).unwrap()
        };
        assert_eq!(of("unchanged"), (Some(json!("skip")), "/iwomp-in-aws/demo"));
        assert_eq!(of("tags"), (Some(json!(true)), "/iwomp-in-aws/_default"));
        let arguments = |name| ShowArguments { project: project(name), output: Output { json: true } };
        let (mut terminal, out) = terminal();
        assert_eq!(show_entry(&pipeline, &arguments("leaky"), &mut terminal).await.unwrap(), Exit::Failed);
        assert!(!out.text().contains("canary-7") && out.text().contains("authToken"), "{}", out.text());
        for (name, exit) in [("sealed", Exit::Refused), ("nobody", Exit::NotThere)] {
            let failure = show_entry(&pipeline, &arguments(name), &mut terminal).await.unwrap_err();
            assert_eq!(failure.exit, exit, "{failure}");
        }
    }

    #[tokio::test]
    async fn every_fault_of_each_parameter_is_found_with_its_key() {
        let more = [
            entry("typo", r#"{"brnches":["main"],"unchanged":"never","pinned":"x"}"#),
            parameter("/iwomp-in-aws/no.project", "{}"),
            parameter("/iwomp-in-aws/garbage", "garbage"),
        ];
        let aws = Aws { parameters: [parameters().to_vec(), more.to_vec()].concat(), ..Aws::default() };
        let (pipeline, _) = aws.pipeline();
        let register = Register::read(&pipeline.ssm, &pipeline.config_path).await.unwrap();
        let lint = lint_of(&pipeline, &register);
        let found: Vec<_> = lint.faults.iter().map(|fault| fault.parameter.rsplit('/').next().unwrap()).collect();
        assert_eq!(found, ["leaky", "typo", "typo", "typo", "no.project", "garbage"]);
        assert!(lint.faults[1].fault.contains("almost \"branches\""), "{:?}", lint.faults[1]);
        assert_eq!((lint.looked_at, lint.encrypted.len()), (7, 1));
        let (mut terminal, out) = terminal();
        let ended = super::lint(&pipeline, &ProjectsArguments { output: TEXT }, &mut terminal).await.unwrap();
        assert_eq!(ended, Exit::Failed);
        assert!(out.text().ends_with("6 faults in 7 parameters\n"), "{}", out.text());
        assert!(json::document(&lint).unwrap()["faults"].is_array());
    }

    #[tokio::test]
    async fn the_entries_that_the_launcher_refuses_have_faults_and_no_others() {
        let entries: Vec<Value> = serde_json::from_str(include_str!("../../../contract/tests/entries.json")).unwrap();
        for case in entries {
            let (pipeline, _) = Aws::with([parameter("/iwomp-in-aws/demo", &case["entry"].to_string())]).pipeline();
            let register = Register::read(&pipeline.ssm, &pipeline.config_path).await.unwrap();
            let faults = lint_of(&pipeline, &register).faults;
            let fault = case["fault"].as_str();
            assert_eq!(faults.is_empty(), fault.is_none(), "{case}: {faults:?}");
            assert!(faults.iter().take(1).all(|first| first.fault.starts_with(fault.unwrap())), "{case}: {faults:?}");
        }
    }

    #[tokio::test]
    async fn what_is_wrong_in_the_default_is_told_of_it_and_not_again_of_every_entry() {
        let default = parameter("/iwomp-in-aws/_default", r#"{"authToken":"canary-7","pinned":"x","lfs":"fetch"}"#);
        let ssh = r#"{"gitUrl":"ssh://git@git.example/x"}"#;
        let (pipeline, _) =
            Aws::with([default, entry("fine", "{}"), entry("same", r#"{"pinned":"y"}"#), entry("ssh", ssh)]).pipeline();
        let register = Register::read(&pipeline.ssm, &pipeline.config_path).await.unwrap();
        let lint = lint_of(&pipeline, &register);
        let found: Vec<_> = lint
            .faults
            .iter()
            .map(|found| (found.parameter.rsplit('/').next().unwrap(), found.fault.split_whitespace().next().unwrap()))
            .collect();
        // What only an entry and the default together are wrong in is the entry's.
        let told =
            [("_default", "\"authToken\""), ("_default", "\"pinned\""), ("same", "\"pinned\""), ("ssh", "\"lfs\"")];
        assert_eq!(found, told);
        assert!(lint.faults.iter().all(|found| !found.fault.contains("canary-7")));
    }
}
