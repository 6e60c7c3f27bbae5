//! Removes records of what was live of branches that are gone, for SSM keeps 10,000 parameters in a region and dependabot
//! alone makes hundreds of branches a year. Each is logged as a whole before it goes: then the log is its history.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use aws_sdk_ssm::operation::get_parameters_by_path::GetParametersByPathOutput;
use aws_sdk_ssm::primitives::DateTimeFormat;
use contract::{Class, Event, ProjectName, parameter, printable};
use iwomp_aws::aws_error;
use iwomp_aws::metric;
use iwomp_aws::parameters::Register;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::notifier::{MAX_REASON_CHARS, Notifier};
use crate::retention::{Cause, NoRecord, OldRecord, Rules};

/// Removed of one project at once; more wait a day.
const MAX_REMOVED: usize = 100;
/// Of 10 each: as many as SSM keeps.
const MAX_PAGES: usize = 1000;
/// Between two calls. SSM gives an account 40 reading calls a second, and the launcher and the workers need them more.
const PAUSE: Duration = Duration::from_millis(100);
/// What removing takes of the sweep's time.
const TIME_TO_REMOVE: Duration = Duration::from_secs(40);
/// A project is looked at once a day, in a quarter of an hour of its own.
const SWEEP_SECONDS: u64 = 15 * 60;
const SWEEPS_A_DAY: u64 = 24 * 60 * 60 / SWEEP_SECONDS;

/// What is not a record, and so left where it is: how many, and the first one's name.
#[derive(Debug, Default)]
struct Strangers {
    count: usize,
    first: String,
}

impl Notifier {
    /// Looks at the projects whose turn it is, and says how many records it has removed. An error is the last one's; it keeps
    /// no other project from its turn.
    pub async fn remove_old_records(&self, register: &Register, now: SystemTime, deadline: Instant) -> Result<usize> {
        let Some(kept) = self.environment.records_kept else { return Ok(0) };
        let (mut removed, mut result) = (0, Ok(()));
        for project in register.projects().iter().filter(|project| is_turn_of(project, now)) {
            match Rules::read(register, &self.environment.config_path, project) {
                Ok(Some(rules)) => match self.remove_of(project, &rules, now, kept, deadline).await {
                    Ok(count) => removed += count,
                    Err(error) => result = Err(error),
                },
                Ok(None) => {}
                Err(error) => {
                    let name = parameter::register(&self.environment.config_path, project);
                    let reason = format!("{name} {error}: as long as that is so, no record of its branches is removed");
                    metric::print(&left(project, &reason));
                }
            }
        }
        result.map(|()| removed)
    }

    async fn remove_of(
        &self,
        project: &ProjectName,
        rules: &Rules,
        now: SystemTime,
        kept: Duration,
        deadline: Instant,
    ) -> Result<usize> {
        let (old, strangers) = self.find_old(project, rules, now, kept, deadline).await?;
        if strangers.count > 0 {
            metric::print(&left(project, &strangers.reason()));
        }
        let mut removed = 0;
        for old in old {
            if Instant::now() >= deadline {
                break;
            }
            tokio::time::sleep(PAUSE).await;
            removed += usize::from(self.remove(project, &old).await.with_context(|| format!("removing {}", old.name))?);
        }
        Ok(removed)
    }

    /// All are read before one is removed: what SSM's token points to stays where it is.
    async fn find_old(
        &self,
        project: &ProjectName,
        rules: &Rules,
        now: SystemTime,
        kept: Duration,
        deadline: Instant,
    ) -> Result<(Vec<OldRecord>, Strangers)> {
        let path = parameter::seen(&self.environment.config_path, project);
        let prefix = format!("{path}/");
        let (mut found, mut strangers, mut token) = (Vec::new(), Strangers::default(), None);
        for _ in 0..MAX_PAGES {
            if Instant::now() + TIME_TO_REMOVE >= deadline {
                break;
            }
            let page = self.page_of_records(&path, token).await?;
            for parameter in page.parameters() {
                match rules.judge(parameter, &prefix, now, kept) {
                    Ok(old) => found.extend(old),
                    Err(NoRecord) => strangers.add(parameter.name().unwrap_or_default()),
                }
            }
            token = page.next_token;
            if token.is_none() || found.len() >= MAX_REMOVED {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        found.truncate(MAX_REMOVED);
        Ok((found, strangers))
    }

    async fn page_of_records(&self, path: &str, token: Option<String>) -> Result<GetParametersByPathOutput> {
        let call = self.ssm.get_parameters_by_path().path(path).recursive(true).with_decryption(false);
        let page = call.set_next_token(token).send().await;
        page.map_err(aws_error).with_context(|| format!("reading the records under {path}/"))
    }

    /// False: it is gone already, or something was deployed since it was read. SSM cannot remove on a condition, so that it is
    /// looked at once more right before.
    async fn remove(&self, project: &ProjectName, old: &OldRecord) -> Result<bool> {
        let now = match self.ssm.get_parameter().name(&old.name).with_decryption(false).send().await {
            Err(error) if error.as_service_error().is_some_and(|error| error.is_parameter_not_found()) => {
                return Ok(false);
            }
            answer => answer.map_err(aws_error)?,
        };
        if now.parameter().is_none_or(|parameter| parameter.version() != old.version) {
            return Ok(false);
        }
        metric::print(&old.line(project));
        match self.ssm.delete_parameter().name(&old.name).send().await {
            Err(error) if error.as_service_error().is_some_and(|error| error.is_parameter_not_found()) => Ok(false),
            answer => answer.map_err(aws_error).map(|_| true),
        }
    }
}

impl OldRecord {
    /// All that the record said. What a build wrote into it without a grammar is made harmless.
    fn line(&self, project: &ProjectName) -> Value {
        let (class, reason) = match self.cause {
            Cause::NotAllowed => (Class::NotAllowed, "the register does not allow the branch any more"),
            Cause::Unused => (
                Class::Unused,
                "of this branch, which the register allows only by a prefix, nothing was deployed for long",
            ),
        };
        let text = |text: &Option<String>| text.as_deref().map(|text| printable(text, MAX_REASON_CHARS));
        json!({
            "event": Event::RecordRemoved,
            "class": class,
            "reason": reason,
            "project": project,
            "branch": self.branch,
            "commit": self.record.commit,
            "since": self.written.fmt(DateTimeFormat::DateTime).unwrap_or_default(),
            "build": text(&self.record.build),
            "trigger": text(&self.record.trigger),
            "version": self.version,
        })
    }
}

impl Strangers {
    fn add(&mut self, name: &str) {
        if self.count == 0 {
            self.first = printable(name, MAX_REASON_CHARS);
        }
        self.count += 1;
    }

    fn reason(&self) -> String {
        format!(
            "{} parameters are no records of what is live, {} the first of them: left as they are. To do: see \"A record \
             that cannot be read\" in docs/operations.md",
            self.count, self.first
        )
    }
}

fn left(project: &ProjectName, reason: &str) -> Value {
    json!({"event": Event::RecordsLeft, "project": project, "reason": printable(reason, MAX_REASON_CHARS)})
}

fn is_turn_of(project: &ProjectName, now: SystemTime) -> bool {
    let seconds = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let turn: u64 = project.as_str().bytes().map(u64::from).sum();
    turn % SWEEPS_A_DAY == seconds / SWEEP_SECONDS % SWEEPS_A_DAY
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{Aws, DAY, Done, EPOCH_SECONDS, is_harmless, parameter, project, record};
    use crate::retention::OldRecord;
    use aws_sdk_ssm::types::{Parameter, ParameterType};
    use contract::CommitId;
    use std::sync::{Arc, Mutex};

    const ENTRY: &str =
        r#"{"gitUrl":"https://git.example/x.git","command":"deploy.sh","branches":["main","release/1","release/*"]}"#;

    fn entry(text: &str, days: u32) -> Parameter {
        parameter("/iwomp-in-aws/demo", text, days)
    }

    fn live(branch: &str, days: u32) -> Parameter {
        let name = format!("/iwomp-in-aws-deployed/demo/{branch}");
        parameter(&name, &record("iwomp-in-aws--demo:6").to_json(), days)
    }

    /// In the quarter of an hour that is demo's, at the end of the day on which no parameter is written.
    fn turn() -> SystemTime {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(EPOCH_SECONDS).unwrap());
        let times =
            (0..u32::try_from(SWEEPS_A_DAY).unwrap()).map(|sweep| start + Duration::from_secs(SWEEP_SECONDS) * sweep);
        let turns: Vec<_> = times.filter(|time| is_turn_of(&project("demo"), *time)).collect();
        assert_eq!(turns.len(), 1, "once a day");
        turns[0]
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(200)
    }

    async fn sweep(aws: Aws) -> (Result<usize>, Arc<Mutex<Done>>) {
        let (notifier, done) = aws.notifier();
        let register = Register::read(&notifier.ssm, &notifier.environment.config_path).await.unwrap();
        (notifier.remove_old_records(&register, turn(), soon()).await, done)
    }

    /// The branches of which the records are removed.
    async fn removed(parameters: Vec<Parameter>) -> Vec<String> {
        let (count, done) = sweep(Aws { parameters, ..Aws::default() }).await;
        let removed = std::mem::take(&mut done.lock().unwrap().removed);
        assert_eq!(count.unwrap(), removed.len());
        removed.iter().map(|name| name.strip_prefix("/iwomp-in-aws-deployed/demo/").unwrap().to_owned()).collect()
    }

    #[tokio::test]
    async fn a_record_goes_where_the_register_has_left_the_branch_out_for_a_month() {
        let parameters = vec![entry(ENTRY, 31), live("main", 900), live("fix/..2312", 31), live("new", 29)];
        assert_eq!(removed(parameters).await, ["fix/..2312"]);
        assert!(removed(vec![entry(ENTRY, 29), live("fix/..2312", 900)]).await.is_empty(), "it may be a mistake yet");
    }

    #[tokio::test]
    async fn a_branch_below_a_prefix_loses_its_record_when_nothing_was_deployed_for_the_set_time() {
        let parameters = vec![entry(ENTRY, 0), live("release/2", 401), live("release/3", 399)];
        assert_eq!(removed(parameters).await, ["release/2"]);
    }

    #[tokio::test]
    async fn a_branch_that_the_register_names_keeps_its_record_for_ever() {
        assert!(removed(vec![entry(ENTRY, 900), live("main", 9000), live("release/1", 9000)]).await.is_empty());
    }

    #[tokio::test]
    async fn what_is_held_stays_held() {
        let held = Some(CommitId::parse(&"b".repeat(40)).unwrap());
        let text = contract::Deployed { held, ..record("iwomp-in-aws--demo:6") }.to_json();
        let held =
            ["fix", "release/2"].map(|branch| parameter(&format!("/iwomp-in-aws-deployed/demo/{branch}"), &text, 900));
        assert!(removed([vec![entry(ENTRY, 900)], held.to_vec()].concat()).await.is_empty());
    }

    #[tokio::test]
    async fn what_is_no_record_is_left_and_keeps_no_other_from_going() {
        let strange = |name: &str, value: &str| parameter(&format!("/iwomp-in-aws-deployed/demo/{name}"), value, 900);
        let mut encrypted = live("encrypted", 900);
        encrypted.r#type = Some(ParameterType::SecureString);
        let mut dateless = live("dateless", 900);
        dateless.last_modified_date = None;
        let note = parameter("/iwomp-in-aws-deployed/demo", "{}", 900);
        let others = live("fix", 900).name.unwrap().replace("demo", "demo2");
        let others = parameter(&others, &record("x").to_json(), 900);
        let parameters = [
            entry(ENTRY, 900),
            strange("x", "garbage"),
            strange("..", "{}"),
            encrypted,
            dateless,
            note,
            others,
            live("fix", 900),
        ];
        assert_eq!(removed(parameters.to_vec()).await, ["fix"]);
    }

    #[tokio::test]
    async fn a_register_that_says_nothing_for_sure_costs_no_record() {
        let default = |text: &str, days| parameter("/iwomp-in-aws/_default", text, days);
        let encrypted = |mut parameter: Parameter| {
            parameter.r#type = Some(ParameterType::SecureString);
            parameter
        };
        let nameless = r#"{"gitUrl":"https://git.example/x.git","command":"deploy.sh"}"#;
        let branches = r#"{"branches":["main"]}"#;
        for register in [
            vec![],
            vec![entry("garbage", 900)],
            vec![entry(&ENTRY.replace("command", "comand"), 900)],
            vec![entry(&ENTRY.replace("release/*", "*"), 900)],
            vec![encrypted(entry(ENTRY, 900))],
            vec![entry(ENTRY, 900), encrypted(default("{}", 900))],
            vec![entry(ENTRY, 900), default("garbage", 900)],
            vec![entry(ENTRY, 900), default("{}", 29)],
            // What is allowed where nobody says so may be what is left after a mistake.
            vec![entry(nameless, 900)],
            vec![entry(nameless, 900), default(branches, 29)],
        ] {
            let parameters = [register.clone(), vec![live("fix", 900)]].concat();
            assert!(removed(parameters).await.is_empty(), "{register:?}");
        }
        assert_eq!(removed(vec![entry(nameless, 900), default(branches, 900), live("fix", 900)]).await, ["fix"]);
    }

    #[tokio::test]
    async fn what_was_deployed_since_it_was_read_is_not_removed() {
        let written_meanwhile = vec!["/iwomp-in-aws-deployed/demo/release/2"];
        let parameters = vec![entry(ENTRY, 900), live("release/2", 900), live("release/3", 900)];
        let (count, done) = sweep(Aws { parameters, written_meanwhile, ..Aws::default() }).await;
        assert_eq!(count.unwrap(), 1);
        assert_eq!(done.lock().unwrap().removed, ["/iwomp-in-aws-deployed/demo/release/3"]);
    }

    #[tokio::test]
    async fn a_record_that_cannot_be_removed_fails_the_sweep() {
        let parameters = vec![entry(ENTRY, 900), live("fix", 900)];
        let (count, done) = sweep(Aws { parameters, undeletable: Some("/fix"), ..Aws::default() }).await;
        let error = format!("{:#}", count.unwrap_err());
        assert!(error.starts_with("removing /iwomp-in-aws-deployed/demo/fix: AccessDeniedException"), "{error}");
        assert!(done.lock().unwrap().removed.is_empty());
    }

    #[tokio::test]
    async fn nothing_is_removed_unless_it_is_asked_for_nor_before_the_projects_turn_nor_without_time() {
        let parameters = vec![entry(ENTRY, 900), live("fix", 900)];
        let (mut notifier, done) = Aws { parameters, ..Aws::default() }.notifier();
        let register = Register::read(&notifier.ssm, &notifier.environment.config_path).await.unwrap();
        let later = turn() + Duration::from_secs(SWEEP_SECONDS);
        assert_eq!(notifier.remove_old_records(&register, later, soon()).await.unwrap(), 0);
        assert_eq!(notifier.remove_old_records(&register, turn(), Instant::now()).await.unwrap(), 0);
        notifier.environment.records_kept = None;
        assert_eq!(notifier.remove_old_records(&register, turn(), soon()).await.unwrap(), 0);
        assert!(done.lock().unwrap().removed.is_empty());
        notifier.environment.records_kept = Some(DAY * 400);
        assert_eq!(notifier.remove_old_records(&register, turn(), soon()).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn no_more_than_a_hundred_records_of_a_project_are_found_at_once() {
        let mut parameters = vec![entry(ENTRY, 900)];
        parameters.extend((0..125).map(|number| live(&format!("fix/{number}"), 900)));
        let (notifier, _) = Aws { parameters, ..Aws::default() }.notifier();
        let config_path = &notifier.environment.config_path;
        let register = Register::read(&notifier.ssm, config_path).await.unwrap();
        let rules = Rules::read(&register, config_path, &project("demo")).unwrap().unwrap();
        let (old, _) = notifier.find_old(&project("demo"), &rules, turn(), DAY * 400, soon()).await.unwrap();
        assert_eq!(old.len(), MAX_REMOVED);
    }

    #[tokio::test]
    async fn a_line_keeps_what_the_record_said_and_nothing_of_it_reaches_a_screen_unescaped() {
        let evil =
            contract::Deployed { trigger: Some("\u{1b}[2J\u{202e}".to_owned()), ..record("iwomp-in-aws--demo:6") };
        let found = parameter("/iwomp-in-aws-deployed/demo/fix", &evil.to_json(), 900);
        let (notifier, _) = Aws { parameters: vec![entry(ENTRY, 900), found], ..Aws::default() }.notifier();
        let config_path = &notifier.environment.config_path;
        let register = Register::read(&notifier.ssm, config_path).await.unwrap();
        let rules = Rules::read(&register, config_path, &project("demo")).unwrap().unwrap();
        let (old, _) = notifier.find_old(&project("demo"), &rules, turn(), DAY * 400, soon()).await.unwrap();
        let line = old.iter().map(|old: &OldRecord| old.line(&project("demo"))).next().unwrap();
        assert!(is_harmless(&line), "{line}");
        assert_eq!((&line["event"], &line["branch"]), (&json!("record_removed"), &json!("fix")));
        assert_eq!((&line["build"], &line["since"]), (&json!("iwomp-in-aws--demo:6"), &json!("2024-06-06T06:00:00Z")));
    }

    #[tokio::test]
    async fn a_sweep_removes_what_is_old_of_the_projects_whose_turn_it_is() {
        let now = SystemTime::now();
        let times = [now, now + Duration::from_secs(SWEEP_SECONDS)]; // it may just end
        // One at least for every turn of the day.
        let names: Vec<_> =
            ["a", "zz"].iter().flat_map(|start| (0..60).map(|n| start.to_string() + &"a".repeat(n))).collect();
        let has_turn = |name: &&String| times.iter().any(|time| is_turn_of(&project(name), *time));
        let parameters = names.iter().filter(has_turn).flat_map(|name| {
            let text = record("x").to_json();
            let record = parameter(&format!("/iwomp-in-aws-deployed/{name}/fix"), &text, 900);
            [parameter(&format!("/iwomp-in-aws/{name}"), ENTRY, 900), record]
        });
        let parameters: Vec<_> = parameters.take(6).collect();
        let (notifier, done) = Aws { parameters, triggers: Some([0, 0, 0]), ..Aws::default() }.notifier();
        notifier.sweep(soon()).await.unwrap();
        assert!(!done.lock().unwrap().removed.is_empty());
    }

    #[tokio::test]
    async fn strangers_are_said_once_with_their_number() {
        let mut strangers = Strangers::default();
        ["/a/\u{1b}[31m", "/b"].into_iter().for_each(|name| strangers.add(name));
        let reason = strangers.reason();
        assert!(
            reason.starts_with("2 parameters are no records") && reason.contains("/a/\\u{1b}[31m the first"),
            "{reason}"
        );
    }
}
